"""Deep linear models ``W = W_L ... W_1`` on the population loss, from the matched start of App. B.5 and B.6.

    W_1 = e^-delta Q_1 [I] V^T,   W_l = e^-delta Q_l Q_(l-1)^T,   W_L = e^-delta U Q_(L-1)^T

with random orthogonal ``Q_l [k, k]`` (hidden layers are as wide as there are classes); one layer starts at zero.
"""

import torch
from torch import Tensor

from muon_imbalance.plan.job import Job
from muon_imbalance.training.engine import Key, Tensors, expand
from muon_imbalance.training.tasks.population import Population, random_rotation
from muon_imbalance.training.tasks.population import stackable as stackable


def build(settings: list[dict], job: Job, seeds: list[int], data: None) -> "DeepLinear":
    """The task of a stack."""
    return DeepLinear(settings, job.experiment, seeds, getattr(torch, job.dtype), job.device)


class DeepLinear(Population):
    """Task: ``layer_1 [S, k, d]``, ``layer_2 .. [S, k, k]``; what is measured is the product.

    ``settings`` (one per model): ``mixture`` and ``model`` (``layers``, ``delta``). Models of different depth share a
    stack: the layers that a model does not have are identities, which keep their place since their gradient is zero.
    """

    def __init__(self, settings: list[dict], experiment: str, seeds: list[int], dtype: torch.dtype, device: str):
        super().__init__(settings, experiment, seeds, dtype, device)
        self.depth = torch.tensor([model["model"]["layers"] for model in settings], device=device)
        self.names = [f"layer_{layer}" for layer in range(1, int(self.depth.max()) + 1)]

    def init(self) -> Tensors:
        inner = len(self.names) - 1
        hidden = (
            self.per_seed(lambda rng: [random_rotation(self.k, rng) for _ in range(inner)], "hidden") if inner else []
        )
        bases = [self.v[:, :, : self.k], *hidden, self.u]  # [S, ., k]
        delta = torch.tensor([model["model"]["delta"] for model in self.settings], dtype=self.dtype, device=self.device)
        size = torch.exp(-delta) * (self.depth > 1)
        params = {}
        for number, name in enumerate(self.names, start=1):
            last = expand(self.depth == number, self.u)
            after = torch.where(last, self.u, bases[number])
            layer = expand(size, after) * (after @ bases[number - 1].mT)
            identity = torch.eye(*layer.shape[1:], dtype=self.dtype, device=self.device)
            params[name] = torch.where(expand(self.depth >= number, layer), layer, identity)
        return params

    def products(self, params: Tensors) -> tuple[list[Tensor | None], Tensor, list[Tensor | None]]:
        """``W_(l-1) ... W_1`` and ``W_L ... W_(l+1)`` of every layer l (None: empty), and the whole product."""
        layers = [params[name] for name in self.names]
        below: list[Tensor | None] = [None]
        for layer in layers:
            below.append(layer if below[-1] is None else torch.bmm(layer, below[-1]))
        above: list[Tensor | None] = [None]
        for layer in reversed(layers[1:]):
            above.append(layer if above[-1] is None else torch.bmm(above[-1], layer))
        return below[:-1], below[-1], above[::-1]

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        below, product, above = self.products(params)
        loss, slope = self.slope(product)
        grads = {}
        for number, (name, left, right) in enumerate(zip(self.names, above, below, strict=True), start=1):
            grad = slope if left is None else torch.bmm(left.mT, slope)
            grad = grad if right is None else torch.bmm(grad, right.mT)
            grads[name] = torch.where(expand(self.depth >= number, grad), grad, 0.0)
        return loss, grads, {}

    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Component strengths of the product and its leakage off the diagonal."""
        return self.alignment(self.products(params)[1])
