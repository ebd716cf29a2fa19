"""Linear classifier ``logits = W x`` without bias (Sec. 3.1)."""

import torch
from torch import Tensor

from muon_imbalance.models.stacked.chain import Chain


class Linear(Chain):
    """``layers.0.weight`` with shape ``[S, classes, features]``, started at ``N(0, init_std^2)``."""

    def __init__(self, features: int, classes: int, init_std: float):
        super().__init__([(features, classes)], bias=False)
        self.init_std = init_std

    def init(self, generators: list[torch.Generator], dtype: torch.dtype) -> dict[str, Tensor]:
        """Initial weights of ``S`` models, each from its own generator."""
        ((features, classes),) = self.sizes
        drawn = [torch.randn(classes, features, generator=rng, dtype=torch.float64) for rng in generators]
        return {"layers.0.weight": (self.init_std * torch.stack(drawn)).to(dtype)}


def build(config: dict, features: int, classes: int) -> Linear:
    """A linear model from ``{init_std}``."""
    return Linear(features, classes, float(config.get("init_std", 0.0)))
