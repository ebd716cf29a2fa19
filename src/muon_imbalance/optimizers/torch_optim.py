"""The optimizers as torch.optim.Optimizer classes, for anybody's training loop.

    import torch
    from muon_imbalance.optimizers.torch_optim import Muon

    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3))
    optimizer = Muon(model.parameters(), lr=0.02, momentum=0.95, weight_decay=0.01)
    for x, y in batches:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

Hyperparameters and defaults are those of the factory with the same name in lower case (``optimizers.build``), and
each may differ from parameter group to parameter group. Every class hands its parameters to the stacked core as
stacks of one model, so nothing is computed twice. Which parameters count as matrices says ``protocol.is_matrix``.
SGD and Adam have no class here: on a single model torch.optim.SGD and Adam with fused=True make the same steps
in one pass over the memory, which nothing built from separate operations reaches.
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

import torch
from torch import Tensor

from muon_imbalance.common.errors import UserError
from muon_imbalance.optimizers.base.protocol import HALF, Optimizer
from muon_imbalance.optimizers.lion_k import lion_k
from muon_imbalance.optimizers.muon import muon
from muon_imbalance.optimizers.shampoo import shampoo
from muon_imbalance.optimizers.steepest import ngd, nmd, signgd, signum, specgd


class StackedOptimizer(torch.optim.Optimizer):
    """A torch optimizer over ``rule``, a factory of a stacked ``Optimizer``.

    Parameters in half precision are updated in float32, where their state lives as well, and rounded once a step. The
    gradients are only read. ``maximize`` steps along the gradient. Raises UserError for a hyperparameter outside its
    range and for parameters or gradients that are sparse, complex or integers; then no parameter has been changed.
    """

    rule: Callable[..., Optimizer]
    hyper: dict[str, object]
    group_options: dict[str, object] = {}

    def __init_subclass__(cls, rule: Callable[..., Optimizer], without: tuple[str, ...] = (), **kwargs):
        """``without``: hyperparameters that tell parameters apart by name, in the place of which are groups here."""
        super().__init_subclass__(**kwargs)
        cls.rule = staticmethod(rule)
        given = {key: p for key, p in inspect.signature(rule).parameters.items() if key not in without}
        cls.hyper = {key: parameter.default for key, parameter in given.items()}
        keyword = inspect.Parameter.KEYWORD_ONLY
        first = inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        lr = given["lr"].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
        rest = [parameter for key, parameter in given.items() if key != "lr"]
        cls.__signature__ = inspect.Signature([first, lr, *rest, inspect.Parameter("maximize", keyword, default=False)])

    def __init__(self, params, lr=None, *, maximize: bool = False, **hyper):
        for key, value in hyper.items():
            if key not in self.hyper:
                known = ", ".join([*self.hyper, "maximize"])
                raise UserError(f"{type(self).__name__}: unknown hyperparameter {key} = {value!r}; allowed: {known}")
        rate = {} if lr is None else {"lr": lr}
        super().__init__(params, {**self.hyper, **hyper, **rate, **self.group_options, "maximize": maximize})

    def add_param_group(self, param_group: dict) -> None:
        super().add_param_group(param_group)
        try:
            self._build(self.param_groups[-1])
            for param in self.param_groups[-1]["params"]:
                self._refuse(param, "parameters")
        except UserError:
            self.param_groups.pop()
            raise

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """One update of all parameters that have a gradient; returns what ``closure`` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        work = [(group, [p for p in group["params"] if p.grad is not None]) for group in self.param_groups]
        for _, params in work:
            for param in params:
                self._refuse(param.grad, "gradients")
        for group, params in work:
            rule = self._build(group)
            for batch in self._batches(rule, group, [param for param in params if param.numel()]):
                self._step(rule, group, *map(list, zip(*batch, strict=True)))
        return loss

    def _batches(self, rule: Optimizer, group: dict, params: list[Tensor]) -> Iterable[list[tuple[Tensor, dict]]]:
        """Parameters and their states that are stepped together: of one dtype, one device, and as many steps taken."""
        batches = defaultdict(list)
        for param in params:
            state = self.state.get(param)
            if state is None:
                fresh = rule.init({"0": self._stacks(group, [param])[0]})
                state = {"step" if key == "count" else key.rpartition("/")[0]: value for key, value in fresh.items()}
                self.state[param] = state
            count = int(state["step"]) if "step" in state else None
            batches[param.dtype, param.device, count].append((param, state))
        return batches.values()

    def _step(self, rule: Optimizer, group: dict, params: list[Tensor], states: list[dict]) -> None:
        weights, grads = params, [param.grad for param in params]
        stacked = not rule.any_shape or params[0].dtype in HALF
        if stacked:
            weights, grads = self._stacks(group, weights), self._stacks(group, grads)
        if group["maximize"]:
            grads = torch._foreach_neg(grads)
        slots = [
            {key: value if stacked else value.view_as(param) for key, value in state.items() if key != "step"}
            for param, state in zip(params, states, strict=True)
        ]
        count = int(states[0]["step"]) + 1 if "step" in states[0] else 0
        names = [str(i) for i in range(len(params))]
        rule.step_(*(dict(zip(names, given, strict=True)) for given in (weights, grads, slots)), count)
        for param, weight, state in zip(params, weights, states, strict=True) if stacked or count else ():
            if weight.data_ptr() != param.data_ptr():
                param.copy_(weight.view_as(param))
            if count:
                state["step"] = state["step"] + 1

    def load_state_dict(self, state_dict: dict) -> None:
        """As torch, but the state keeps its own precision where that is finer than the parameter's."""
        super().load_state_dict(state_dict)
        saved = [key for group in state_dict["param_groups"] for key in group["params"]]
        mine = [param for group in self.param_groups for param in group["params"]]
        for key, param in zip(saved, mine, strict=True):
            for slot, value in state_dict["state"].get(key, {}).items():
                if slot != "step":
                    self.state[param][slot] = value.to(param.device, copy=True)

    def _build(self, group: dict) -> Optimizer:
        hyper = {key: group[key] for key in self.hyper}
        fixed = not any(isinstance(part, Tensor | list) for value in hyper.values() for part in _parts_of(value))
        try:
            return _built(self.rule, **hyper) if fixed else self.rule(**hyper)
        except UserError as error:
            raise UserError(f"{type(self).__name__}: {error}") from None

    def _stacks(self, group: dict, tensors: list[Tensor]) -> list[Tensor]:
        """Stacks of one model, ``[1, *shape]``, a scalar as ``[1, 1]``; at least in float32."""
        if tensors[0].dtype in HALF:
            tensors = [tensor.float() for tensor in tensors]
        return [tensor.unsqueeze(0) if tensor.ndim else tensor.view(1, 1) for tensor in tensors]

    def _refuse(self, tensor: Tensor, what: str) -> None:
        if tensor.layout is not torch.strided or not tensor.is_floating_point():
            kind = "complex" if tensor.is_complex() else str(tensor.layout if tensor.is_sparse else tensor.dtype)
            raise UserError(f"{type(self).__name__} takes dense real floating-point {what}, this one is {kind}")


@lru_cache(maxsize=64, typed=True)
def _built(rule: Callable[..., Optimizer], **hyper) -> Optimizer:
    """rule(**hyper), built once for values that cannot change behind its back; a rule keeps no state."""
    return rule(**hyper)


def _parts_of(value: object) -> tuple:
    return value if isinstance(value, tuple) else (value,)


class Muon(StackedOptimizer, rule=muon, without=("adam_on", "adam_lr")):
    """Muon on matrices and kernels, Adam on vectors; a group with use_muon=False takes Adam for all.

    Embeddings and the last layer of a language model usually go into such a group. Unlike torch.optim.Muon it
    computes in float32 and takes parameters of any shape, and weight_decay is 0 by default.
    """

    group_options = {"use_muon": True}

    def _stacks(self, group: dict, tensors: list[Tensor]) -> list[Tensor]:
        stacks = super()._stacks(group, tensors)
        return stacks if group["use_muon"] else [stack.flatten(1) for stack in stacks]


class NMD(StackedOptimizer, rule=nmd):
    """Normalised momentum descent: W <- W - lr M / ||M||_F, each parameter by itself."""


class Signum(StackedOptimizer, rule=signum):
    """Sign descent with momentum: W <- W - lr sign(M)."""


class SpecGD(StackedOptimizer, rule=specgd):
    """Spectral descent: W <- W - lr U V^T of the gradient U S V^T, exact."""


class NGD(StackedOptimizer, rule=ngd):
    """Normalised gradient descent: W <- W - lr G / ||G||_F, each parameter by itself."""


class SignGD(StackedOptimizer, rule=signgd):
    """Sign descent: W <- W - lr sign(G)."""


class Shampoo(StackedOptimizer, rule=shampoo):
    """Shampoo with moving averages, blocking and grafting."""


class LionK(StackedOptimizer, rule=lion_k):
    """Lion-K: K="l1" is Lion, "nuclear" Muon, "frobenius" and "ky_fan" further balls."""
