"""One-hidden-layer ReLU network with a fixed outer layer (App. D.10): only the inner layer is trained.

``logits = A relu(W x)`` without biases. The entries of ``A`` are ``+-1/sqrt(hidden)`` with random signs; ``W`` starts
at ``N(0, init_std^2 / features)``.
"""

from typing import Annotated

import torch
from torch import Tensor

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.models.stacked.chain import Chain
from muon_imbalance.models.stacked.inputs import Inputs

ONLY_MATRICES = True


class Options(Settings):
    """A network with one hidden layer, whose outer layer is fixed."""

    hidden: list[Annotated[int, Field(ge=1, le=100_000)]] = Field(
        min_length=1, max_length=1, description="width of the hidden layer"
    )
    init_std: float = Field(ge=0, description="standard deviation of the initial weights, times sqrt(features)")


class OneHidden(Chain):
    """The one parameter is ``layers.0.weight [S, hidden, features]``; ``outer [S, classes, hidden]`` is not trained."""

    def __init__(self, features: int, hidden: int, classes: int, init_std: float):
        super().__init__([(features, hidden), (hidden, classes)], bias=False)
        self.init_std = init_std
        self.outer: Tensor | None = None

    def init(self, generators: list[torch.Generator], dtype: torch.dtype) -> dict[str, Tensor]:
        """Inner weights of ``S`` models, each from its own generator, which then draws the signs of its outer layer."""
        (features, hidden), (_, classes) = self.sizes
        inner, outer = [], []
        for rng in generators:
            inner.append(torch.randn(hidden, features, generator=rng, dtype=torch.float64))
            outer.append(torch.randint(0, 2, (classes, hidden), generator=rng, dtype=torch.int64) * 2.0 - 1.0)
        self.outer = (torch.stack(outer) / hidden**0.5).to(dtype)
        return {"layers.0.weight": (self.init_std / features**0.5 * torch.stack(inner)).to(dtype)}

    def _layers(self, params: dict[str, Tensor], inputs: Inputs):
        inner = params["layers.0.weight"]
        return super()._layers(params | {"layers.1.weight": self.outer.to(inner)}, inputs)


def build(options: Options, shape: tuple[int], classes: int) -> OneHidden:
    """A network on ``shape = (features,)``."""
    return OneHidden(*shape, *options.hidden, classes, options.init_std)
