"""Muon with a power of the singular values, at equal length: how much of Muon is its flat spectrum?

    Z_t = U S V^T as in Muon (Nesterov momentum);  D_t = c U S^q V^T, ||D_t||_F = sqrt(rank Z_t)
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * sqrt(max(1, rows/cols)) * D_t

q = 0 is Muon with the exact polar factor, q = 1 momentum normalised in the Frobenius norm (NMD), with steps as long as
those of Muon. D_t is the steepest direction in the Schatten norm of order 1 + 1/q. Vectors take Adam as in Muon.
"""

from functools import partial

from torch import Tensor

from muon_imbalance.optimizers.adam import Adam
from muon_imbalance.optimizers.base.hyperparameter_types import (
    Beta2,
    Decay,
    Eps,
    Momentum,
    Nesterov,
    Power,
    Rate,
    Scale,
)
from muon_imbalance.optimizers.base.hyperparameters import Hyper, rule
from muon_imbalance.optimizers.base.matrices_and_vectors import ByShape
from muon_imbalance.optimizers.geometry.spectra import AsLong, reweighted
from muon_imbalance.optimizers.steepest import Steepest


def powered(sizes: Tensor, power: Hyper) -> Tensor:
    """Singular values ``[S, k]`` to the power of each model."""
    return sizes ** power(sizes)


@rule
def spectral_power(
    *,
    lr: Rate = 0.02,
    momentum: Momentum = 0.95,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = True,
    scale: Scale = "original",
    power: Power = 0.5,
    beta2: Beta2 = 0.95,
    eps: Eps = 1e-10,
) -> ByShape:
    """Muon with S^power in place of the polar factor's equal singular values, its steps as long as Muon's."""
    direction = AsLong(partial(reweighted, weights=partial(powered, power=power)), scale)
    return ByShape(
        matrices=Steepest(direction, lr, momentum, weight_decay, nesterov),
        vectors=Adam(lr, momentum, beta2, eps, weight_decay, decoupled=True),
    )
