"""Linear classifier ``logits = W x`` without bias (Sec. 3.1)."""

import torch
from torch import Tensor

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.models.stacked.chain import Chain

ONLY_MATRICES = True


class Options(Settings):
    """A linear classifier."""

    init_std: float = Field(0.0, ge=0, description="standard deviation of the initial weights")


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


def build(options: Options, shape: tuple[int], classes: int) -> Linear:
    """A linear model of ``shape = (features,)``."""
    return Linear(*shape, classes, options.init_std)
