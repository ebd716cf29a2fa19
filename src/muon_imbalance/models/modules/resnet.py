"""ResNets for small images: torchvision's (App. D.2) with the CIFAR stem, and narrow ones of the same family.

The stem is one 3 x 3 convolution with stride 1, without max-pooling. A narrow network has basic blocks in stages of
``width, 2 width, 4 width ...`` channels; ``width: 64, blocks: [2, 2, 2, 2]`` is ResNet-18, under the same names.
"""

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings


class Options(Settings):
    """A ResNet: torchvision's ``arch``, or a narrow one of ``width`` and ``blocks``."""

    arch: Literal["resnet18", "resnet34", "resnet50"] | None = Field(None, description="torchvision's network")
    stem: Literal["cifar", "imagenet"] = Field("cifar", description="first layers of torchvision's network")
    width: int | None = Field(  # oneDNN writes past its memory in the shortcuts of fewer channels (its issue 6035)
        None, ge=8, le=10_000, description="channels of the first stage (64 in ResNet-18)"
    )
    blocks: list[Annotated[int, Field(ge=1, le=1000)]] | None = Field(
        None, min_length=1, description="blocks of each stage ([2, 2, 2, 2] in ResNet-18)"
    )

    @model_validator(mode="after")
    def _one_of_the_two(self):
        narrow = {key for key in ("width", "blocks") if getattr(self, key) is not None}
        if (self.arch is None) != (len(narrow) == 2) or self.arch and narrow or not self.arch and self.stem != "cifar":
            given = ", ".join(f"{key} = {getattr(self, key)!r}" for key in sorted(self.model_fields_set)) or "nothing"
            raise ValueError(f"{given}; allowed: either arch (with stem), or width and blocks")
        return self


def convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    """``side x side`` without bias, keeping height and width at stride 1."""
    return nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)


class BasicBlock(nn.Module):
    """``relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))``, two 3 x 3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = convolution(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.downsample = (
            None if same else nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu_(self.bn1(self.conv1(x)))
        return F.relu_(self.bn2(self.conv2(hidden)) + (x if self.downsample is None else self.downsample(x)))


class NarrowResNet(nn.Module):
    """Logits ``[m, classes]`` of images ``[m, C, H, W]``; initialised as torchvision's (He, fan out)."""

    def __init__(self, channels: int, width: int, blocks: list[int], classes: int):
        super().__init__()
        self.conv1, self.bn1 = convolution(channels, width, 3), nn.BatchNorm2d(width)
        self.stages = [f"layer{stage}" for stage in range(1, len(blocks) + 1)]
        inputs = width
        for stage, (name, count) in enumerate(zip(self.stages, blocks, strict=True)):
            outputs = width * 2**stage
            strides = [1 if stage == 0 else 2] + [1] * (count - 1)
            built = [BasicBlock(inputs if i == 0 else outputs, outputs, s) for i, s in enumerate(strides)]
            self.add_module(name, nn.Sequential(*built))
            inputs = outputs
        self.fc = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu_(self.bn1(self.conv1(images)))
        for name in self.stages:
            hidden = getattr(self, name)(hidden)
        return self.fc(hidden.mean((2, 3)))


def torchvision_resnet(arch: str, classes: int, stem: str = "cifar") -> nn.Module:
    """torchvision's network, randomly initialised, with the CIFAR stem or its own (``imagenet``)."""
    from torchvision import models  # takes a second: only where it is needed

    network = getattr(models, arch)(weights=None, num_classes=classes)
    if stem == "imagenet":
        return network
    network.conv1 = convolution(3, 64, 3)
    nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.maxpool = nn.Identity()
    return network


def build(options: Options, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A network for images ``shape = (C, H, W)``.

    Raises:
        UserError: other than three channels for torchvision's.
    """
    if options.arch is None:
        return NarrowResNet(shape[0], options.width, options.blocks, classes)
    if shape[0] != 3:
        raise UserError(f"model resnet: arch {options.arch!r} for {shape[0]} channels; allowed: images of 3 channels")
    return torchvision_resnet(options.arch, classes, options.stem)
