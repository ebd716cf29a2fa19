"""Muon with random singular values on its singular vectors, at equal length: does the spectrum have to be flat?

    Z_t = U S V^T as in Muon (Nesterov momentum);  D_t = c U diag(|n|) V^T, n ~ N(0, I), ||D_t||_F = sqrt(rank Z_t)
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * sqrt(max(1, rows/cols)) * D_t

n is drawn anew at every step, from the seed, the number of the step and the number of singular values: all models of a
stack, and all matrices with as many singular values, get the same draw. Vectors take Adam as in Muon.
Source: the random spectra of arXiv 2605.11181.
"""

from functools import partial

import torch
from torch import Tensor

from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.optimizers.adam import Adam
from muon_imbalance.optimizers.base.hyperparameter_types import (
    Beta2,
    Decay,
    Eps,
    Momentum,
    Nesterov,
    Rate,
    Scale,
    SpectrumSeed,
)
from muon_imbalance.optimizers.base.hyperparameters import Hyper, rule
from muon_imbalance.optimizers.base.matrices_and_vectors import ByShape
from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, slot
from muon_imbalance.optimizers.geometry.spectra import AsLong, reweighted
from muon_imbalance.optimizers.steepest import Steepest


def drawn(sizes: Tensor, seed: int, step: int) -> Tensor:
    """|n| for singular values ``[S, k]``, ``[k]``."""
    count = sizes.shape[-1]
    generator = torch.Generator().manual_seed(stable_seed("random_spectrum", seed, step, count) % 2**63)
    return torch.randn(count, generator=generator, dtype=sizes.dtype).abs().to(sizes.device)


class RandomSpectrum(Optimizer):
    """Steepest descent along directions that are drawn for each step; the number of steps is part of the state."""

    def __init__(self, seed: int, scale: str, lr: Hyper, momentum: Hyper, weight_decay: Hyper, nesterov: bool):
        self.seed, self.scale, self.rest = seed, scale, (lr, momentum, weight_decay, nesterov)

    def init(self, params: Tensors) -> Tensors:
        return self._at(0).init(params) | {"count": torch.zeros((), dtype=torch.int64)}

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        count = slot(state, "count") + 1
        new_params, new_state = self._at(int(count)).step(params, grads, state)
        return new_params, new_state | {"count": count}

    def _at(self, step: int) -> Steepest:
        """The rule of one step."""
        weights = partial(drawn, seed=self.seed, step=step)
        return Steepest(AsLong(partial(reweighted, weights=weights), self.scale), *self.rest)


@rule
def random_spectrum(
    *,
    lr: Rate = 0.02,
    momentum: Momentum = 0.95,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = True,
    scale: Scale = "original",
    seed: SpectrumSeed = 0,
    beta2: Beta2 = 0.95,
    eps: Eps = 1e-10,
) -> ByShape:
    """Muon with random singular values, its steps as long as Muon's."""
    return ByShape(
        matrices=RandomSpectrum(seed, scale, lr, momentum, weight_decay, nesterov),
        vectors=Adam(lr, momentum, beta2, eps, weight_decay, decoupled=True),
    )
