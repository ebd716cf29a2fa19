"""Multi-layer perceptron with ReLU (App. D.1), PyTorch's default initialisation."""

import torch
from torch import Tensor

from muon_imbalance.models.stacked import heads
from muon_imbalance.models.stacked.chain import Chain


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


def build(config: dict, features: int, classes: int) -> MLP:
    """An MLP from ``{hidden: [widths]}``."""
    return MLP(features, [int(width) for width in config["hidden"]], classes)
