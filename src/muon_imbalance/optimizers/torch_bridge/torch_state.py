"""A torch optimizer's whole state as a flat dict of tensors, which safetensors can hold (no pickle), and back.

State, parameter groups and plain attributes become one tree; its tensors are entries, the rest is JSON in one of them.
"""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

STRUCTURE = "structure"
PRIVATE = ("defaults", "state", "param_groups")


class Unstorable(Exception):
    """Part of an optimizer's state is neither a tensor, a number, a word, nor a container of those."""


def pack(tree: object) -> dict[str, Tensor]:
    """A tree of dicts, lists, tuples, tensors, numbers and words as tensors.

    Raises:
        Unstorable: something else is in it.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_folded(tree, tensors)).encode()
    return tensors | {STRUCTURE: torch.tensor(list(text), dtype=torch.uint8)}


def _folded(node: object, tensors: dict[str, Tensor]):
    if node is None or isinstance(node, bool | str | int | float):
        return node
    if isinstance(node, Tensor) and type(node) is Tensor and node.layout == torch.strided:
        name = str(len(tensors))
        tensors[name] = node
        return {"tensor": name, "on": node.device.type}
    if isinstance(node, list | tuple) and type(node) in (list, tuple):
        return {type(node).__name__: [_folded(child, tensors) for child in node]}
    if isinstance(node, Mapping):
        return {"dict": [[_folded(key, tensors), _folded(child, tensors)] for key, child in node.items()]}
    raise Unstorable(f"it holds a {type(node).__name__}")


def unpack(tensors: Mapping[str, Tensor], device: torch.device) -> object:
    """The tree that :func:`pack` was given; tensors that were not on the CPU go to ``device``."""

    def unfolded(node):
        if not isinstance(node, dict):
            return node
        ((kind, value), *_) = node.items()
        if kind == "tensor":
            return tensors[value].clone() if node["on"] == "cpu" else tensors[value].to(device, copy=True)
        if kind == "dict":
            return {unfolded(key): unfolded(child) for key, child in value}
        return {"list": list, "tuple": tuple}[kind](unfolded(child) for child in value)

    return unfolded(json.loads(bytes(tensors[STRUCTURE].tolist()).decode()))


def state_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything that ``step`` may have changed: state, options of the groups, plain attributes.

    Raises:
        Unstorable: the state or a group holds something that cannot be stored.
    """
    place = {param: index for index, param in enumerate(_params(optimizer))}
    state = [[place.get(key, key) if isinstance(key, Tensor) else key, value] for key, value in optimizer.state.items()]
    groups = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    return pack({"state": state, "groups": groups, "attributes": _attributes(optimizer)})


def restore(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put what :func:`state_of` gave into a freshly built optimizer over parameters of the same shapes."""
    params = _params(optimizer)
    tree = unpack(tensors, params[0].device)
    optimizer.state.clear()
    for key, value in tree["state"]:
        optimizer.state[params[key] if isinstance(key, int) else key] = value
    for group, saved in zip(optimizer.param_groups, tree["groups"], strict=True):
        group.update(saved)
    for name, value in tree["attributes"].items():
        setattr(optimizer, name, value)


def _params(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def _attributes(optimizer: torch.optim.Optimizer) -> dict[str, object]:
    """The optimizer's own plain attributes; what cannot be stored (functions, hooks, parameters) is left as built."""
    kept = {}
    for name, value in vars(optimizer).items():
        try:
            if name not in PRIVATE and not name.startswith("_optimizer_"):
                _folded(value, {})
                kept[name] = value
        except Unstorable:
            continue
    return kept
