"""EfficientNet-Lite0: inverted residual blocks without squeeze-and-excitation, with ReLU6; 4,652,008 parameters.

A block expands its channels (1 x 1), filters each by itself (depthwise, 3 x 3 or 5 x 5) and projects (1 x 1, no
activation); where shape and stride allow, its input is added. Convolutions are padded as TensorFlow's ``SAME``: the
larger half of an odd padding goes to the right and the bottom. The network can be cut before any block: the lower part
then gives features that are computed once, the upper part, whose parameters keep their names, is trained.
Source: M. Tan, Q. V. Le, EfficientNet, ICML 2019; the Lite variant of its official code.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.models.modules import depthwise

LITE0 = (  # expansion, channels, blocks, kernel, stride of the first block
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
)
TINY = ((1, 4, 1, 3, 1), (2, 8, 2, 3, 2), (2, 12, 2, 5, 2))  # of the same family, for tests
SIZES = {"lite0": (LITE0, 32, 1280), "tiny": (TINY, 8, 32)}  # stages, channels of the stem, features
EPS = 1e-3


def described(size: str) -> list[tuple[int, int, int, int, int]]:
    """Channels in, channels out, expansion, kernel and stride of each block of a network."""
    stages, inputs, _ = SIZES[size]
    found = []
    for expansion, outputs, count, kernel, stride in stages:
        for place in range(count):
            found.append((inputs, outputs, expansion, kernel, stride if place == 0 else 1))
            inputs = outputs
    return found


class Options(Settings):
    """EfficientNet-Lite, or the blocks of it that are trained."""

    size: Literal["lite0", "tiny"] = Field("lite0", description="the published network, or a tiny one of the same kind")
    begin: int = Field(0, ge=0, description="first block that is trained (0: the whole network)")
    norm_momentum: float = Field(
        0.1, gt=0, le=1, description="weight of the newest batch in BatchNorm's running statistics"
    )

    @model_validator(mode="after")
    def _begins_at_a_block(self):
        if self.begin > (count := len(described(self.size))):
            raise ValueError(f"begin = {self.begin}; allowed: 0 to {count}")
        return self


class Convolution(nn.Module):
    """Convolution with ``SAME`` padding, BatchNorm, and ReLU6 unless ``linear``."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int, momentum: float, linear=False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=EPS, momentum=momentum)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self._filtered(x))
        return x if self.linear else F.relu6(x)

    def _filtered(self, x: Tensor) -> Tensor:
        """The convolution alone, in the form that is fastest on a CPU (all give the same up to rounding)."""
        conv, (kernel, _), (stride, _) = self.conv, self.conv.kernel_size, self.conv.stride
        on_cpu = x.device.type == "cpu"
        if kernel == 1 and on_cpu and x.is_contiguous(memory_format=torch.channels_last):
            return F.linear(x.permute(0, 2, 3, 1), conv.weight.flatten(1)).permute(0, 3, 1, 2)
        rows, columns = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
        if on_cpu and conv.groups > 1 and kernel == 5 and depthwise.SMALL >= x.shape[-1] == x.shape[-2]:
            return depthwise.convolution(x, conv.weight, stride, rows // 2, rows - rows // 2)
        if rows == columns and rows % 2 == 0:
            return F.conv2d(x, conv.weight, None, stride, rows // 2, 1, conv.groups)
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.conv2d(x, conv.weight, None, stride, 0, 1, conv.groups)


class Block(nn.Module):
    """Expansion (left out at ratio 1), depthwise convolution, projection; the input is added where it fits."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, momentum: float):
        super().__init__()
        wide = inputs * expansion
        self.expand = Convolution(inputs, wide, 1, 1, 1, momentum) if expansion > 1 else nn.Identity()
        self.depthwise = Convolution(wide, wide, kernel, stride, wide, momentum)
        self.project = Convolution(wide, outputs, 1, 1, 1, momentum, linear=True)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out = self.project(self.depthwise(self.expand(x)))
        return out + x if self.skip else out


class EfficientNetLite(nn.Module):
    """The network, or what follows its first blocks.

    Args:
        classes: number of logits.
        begin: number of the first block that belongs to this module; above 0 there is no stem, and inputs are what
            the stem and the blocks before give.
        momentum: of BatchNorm's running statistics (weight of the newest batch). The published one, 0.01, leaves the
            old statistics in place for hundreds of steps.
        size: key of :data:`SIZES`.
    """

    def __init__(self, classes: int = 1000, begin: int = 0, momentum: float = 0.1, size: str = "lite0"):
        super().__init__()
        (_, stem, features), blocks = SIZES[size], described(size)
        self.begin, self.end = begin, len(blocks)
        self.stem = Convolution(3, stem, 3, 2, 1, momentum) if begin == 0 else nn.Identity()
        self.blocks = nn.ModuleDict({str(i): Block(*blocks[i], momentum) for i in range(begin, self.end)})
        self.head = Convolution(blocks[-1][1], features, 1, 1, 1, momentum)
        self.classifier = nn.Linear(features, classes)

    def lower(self, x: Tensor, end: int) -> Tensor:
        """What the blocks before number ``end`` give: ``[N, channels, rows, columns]``, the input of a module that
        begins there."""
        x = self.stem(x)
        for i in range(self.begin, end):
            x = self.blocks[str(i)](x)
        return x

    def features(self, x: Tensor) -> Tensor:
        """Input of the last layer, ``[N, 1280]``."""
        return self.head(self.lower(x, self.end)).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


def scaled(images: Tensor, side: int) -> Tensor:
    """Inputs ``[N, 3, side, side]`` from images ``[N, 3, H, W]`` in [0, 1]: enlarged, then ``(255 x - 127) / 128``."""
    if images.shape[-2:] != (side, side):
        images = F.interpolate(images, (side, side), mode="bilinear", align_corners=False)
    return (images * 255 - 127) / 128


@torch.no_grad()
def lower_outputs(network: EfficientNetLite, images: np.ndarray, end: int, side: int, batch: int = 100):
    """What the blocks before number ``end`` make of pictures ``[n, H, W, 3]`` uint8, in evaluation mode.

    Yields:
        Arrays ``[batch, channels, rows, columns]`` float32 in the order of the pictures (the last one may be shorter).
    """
    network.eval()
    for start in range(0, len(images), batch):
        part = torch.from_numpy(np.ascontiguousarray(images[start : start + batch])).permute(0, 3, 1, 2) / 255
        inputs = scaled(part, side).contiguous(memory_format=torch.channels_last)
        yield network.lower(inputs, end).numpy()


def build(options: Options, shape: Sequence[int], classes: int) -> EfficientNetLite:
    """A network for samples ``shape = (C, H, W)``.

    Raises:
        UserError: samples with other channels than the blocks before give.
    """
    size, begin = options.size, options.begin
    needed = described(size)[begin - 1][1] if begin else 3
    if len(shape) != 3 or shape[0] != needed:
        raise UserError(
            f"model efficientnet_lite: samples are {list(shape)}; allowed: [{needed}, rows, columns] from block {begin}"
        )
    return EfficientNetLite(classes, begin, options.norm_momentum, size)


def initial(module: nn.Module, generator: torch.Generator) -> None:
    """Draw a module's parameters anew: filters normal with variance 2 / fan-out, the classifier uniform."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            fan_out = part.weight.shape[0] // part.groups * part.kernel_size[0] * part.kernel_size[1]
            nn.init.normal_(part.weight, 0.0, (2 / fan_out) ** 0.5, generator=generator)
        elif isinstance(part, nn.Linear):
            bound = part.in_features**-0.5
            nn.init.uniform_(part.weight, -bound, bound, generator=generator)
            nn.init.zeros_(part.bias)
