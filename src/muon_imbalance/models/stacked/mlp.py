"""Multi-layer perceptron with ReLU (App. D.1), PyTorch's default initialisation."""

from typing import Annotated

import torch
from torch import Tensor

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.models.stacked import heads
from muon_imbalance.models.stacked.chain import Chain


class Options(Settings):
    """A multi-layer perceptron."""

    hidden: list[Annotated[int, Field(ge=1, le=100_000)]] = Field(
        min_length=1, description="widths of the hidden layers"
    )


class MLP(Chain):
    """Layers ``features -> hidden[0] -> ... -> classes`` with biases."""

    def __init__(self, features: int, hidden: list[int], classes: int):
        widths = [features, *hidden, classes]
        super().__init__(list(zip(widths[:-1], widths[1:], strict=True)), bias=True)

    def init(self, generators: list[torch.Generator], dtype: torch.dtype) -> dict[str, Tensor]:
        """PyTorch's default initialisation, each model from its own generator."""
        shapes = {}
        for i, (fan_in, out) in enumerate(self.sizes):
            shapes |= {f"layers.{i}.weight": (out, fan_in), f"layers.{i}.bias": (out,)}
        return heads.uniform(shapes, generators, dtype)


def build(options: Options, shape: tuple[int], classes: int) -> MLP:
    """An MLP on ``shape = (features,)``."""
    return MLP(*shape, options.hidden, classes)
