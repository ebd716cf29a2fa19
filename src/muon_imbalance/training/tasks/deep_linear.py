"""Deep linear models ``W = W_L ... W_1`` on the population loss, from the matched start of App. B.5 and B.6.

    W_1 = e^-delta Q_1 [I] V^T,   W_l = e^-delta Q_l Q_(l-1)^T,   W_L = e^-delta U Q_(L-1)^T

with random orthogonal ``Q_l [k, k]`` (hidden layers are as wide as there are classes); one layer starts at zero.
"""

from typing import Literal

import torch
from torch import Tensor

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.training.engine import expand
from muon_imbalance.training.options import Mixture, Needs
from muon_imbalance.training.task import Key, Tensors
from muon_imbalance.training.tasks.population import Population, random_rotation

NEEDS = Needs(classes=False)


class Layers(Settings):
    """The product of layers."""

    name: Literal["deep_linear"] = Field("deep_linear", description="the one model of this task")
    layers: int = Field(ge=1, le=1000, description="number of layers")
    delta: float = Field(gt=0, description="entries of every layer start at e^-delta (one layer starts at zero)")


class Options(Settings):
    """Deep linear models on the population loss."""

    mixture: Mixture = Field(description="parameters of the mixture")
    model: Layers = Field(description="number of layers, and where they start")
    labels: Literal["rotated", "one_hot"] = Field("rotated", description="basis of the labels: random, or the identity")
    metrics: list[Literal["deviation"]] = Field([], description="measured beside components")


class DeepLinear(Population):
    """``layer_1 [S, k, d]``, ``layer_2 .. [S, k, k]``; what is measured is the product.

    Models of different depth share a stack: the layers that a model does not have are identities, which keep their
    place since their gradient is zero.
    """

    def prepare(self) -> None:
        """As the population's; names of the layers of the deepest model."""
        super().prepare()
        self.depth = torch.tensor([one.options.model.layers for one in self.settings], device=self.device)
        self.layers = [f"layer_{layer}" for layer in range(1, int(self.depth.max()) + 1)]

    def init(self) -> Tensors:
        """The matched start."""
        inner = len(self.layers) - 1
        hidden = (
            self.per_seed(lambda rng: [random_rotation(self.k, rng) for _ in range(inner)], "hidden") if inner else []
        )
        bases = [self.v[:, :, : self.k], *hidden, self.u]  # [S, ., k]
        delta = self.tensor([one.options.model.delta for one in self.settings])
        size = torch.exp(-delta) * (self.depth > 1)
        params = {}
        for number, name in enumerate(self.layers, start=1):
            last = expand(self.depth == number, self.u)
            after = torch.where(last, self.u, bases[number])
            layer = expand(size, after) * (after @ bases[number - 1].mT)
            identity = torch.eye(*layer.shape[1:], dtype=self.dtype, device=self.device)
            params[name] = torch.where(expand(self.depth >= number, layer), layer, identity)
        return params

    def products(self, params: Tensors) -> tuple[list[Tensor | None], Tensor, list[Tensor | None]]:
        """``W_(l-1) ... W_1`` and ``W_L ... W_(l+1)`` of every layer l (None: empty), and the whole product."""
        layers = [params[name] for name in self.layers]
        below: list[Tensor | None] = [None]
        for layer in layers:
            below.append(layer if below[-1] is None else torch.bmm(layer, below[-1]))
        above: list[Tensor | None] = [None]
        for layer in reversed(layers[1:]):
            above.append(layer if above[-1] is None else torch.bmm(above[-1], layer))
        return below[:-1], below[-1], above[::-1]

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        """Loss ``[S]`` of the product, and the gradient of every layer."""
        below, product, above = self.products(params)
        loss, slope = self.slope(product)
        grads = {}
        for number, (name, left, right) in enumerate(zip(self.layers, above, below, strict=True), start=1):
            grad = slope if left is None else torch.bmm(left.mT, slope)
            grad = grad if right is None else torch.bmm(grad, right.mT)
            grads[name] = torch.where(expand(self.depth >= number, grad), grad, 0.0)
        return loss, grads, {}

    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Component strengths of the product and its leakage off the diagonal."""
        return self.alignment(self.products(params)[1])


TASK = DeepLinear
