"""Muon: spectral steepest descent with Nesterov momentum for matrices, Adam for vectors.

    M_t = beta M_{t-1} + (1 - beta) G_t;   Z_t = beta M_t + (1 - beta) G_t
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * sqrt(max(1, rows/cols)) * O_t,   O_t ~ U V^T of Z_t = U S V^T

The two lines are :class:`~muon_imbalance.optimizers.steepest.Steepest`, O_t is
:func:`~muon_imbalance.optimizers.geometry.newton_schulz.plain`, computed as
:func:`~muon_imbalance.optimizers.geometry.newton_schulz.newton_schulz`. Vectors take Adam with the same lr,
beta1 = beta and decoupled weight decay. Source: Table 1, App. A and Keller Jordan's code, whose defaults these are.
"""

from collections.abc import Callable

from torch import Tensor

from muon_imbalance.optimizers.adam import Adam
from muon_imbalance.optimizers.base.hyperparameter_types import (
    AdamRate,
    Beta2,
    Decay,
    Eps,
    Iterations,
    Momentum,
    NamesForAdam,
    Nesterov,
    Polar,
    Rate,
    Scale,
)
from muon_imbalance.optimizers.base.hyperparameters import rule
from muon_imbalance.optimizers.base.matrices_and_vectors import ByShape
from muon_imbalance.optimizers.geometry.newton_schulz import NewtonSchulz
from muon_imbalance.optimizers.geometry.norms import Spectral, SpectralIterated
from muon_imbalance.optimizers.geometry.polar import exact
from muon_imbalance.optimizers.geometry.quintic_coefficients import POLAR_EXPRESS
from muon_imbalance.optimizers.steepest import Steepest


def polar_factor(polar: str, ns_steps: int) -> Callable[[Tensor], Tensor]:
    """The map X -> U V^T that ``polar`` names, with ``ns_steps`` iterations where it iterates."""
    return {
        "newton_schulz": NewtonSchulz(ns_steps),
        "polar_express": NewtonSchulz(ns_steps, POLAR_EXPRESS),
        "exact": exact,
    }[polar]


@rule
def muon(
    *,
    lr: Rate = 0.02,
    momentum: Momentum = 0.95,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = True,
    scale: Scale = "original",
    polar: Polar = "newton_schulz",
    ns_steps: Iterations = 5,
    beta2: Beta2 = 0.95,
    eps: Eps = 1e-10,
    adam_on: NamesForAdam = "",
    adam_lr: AdamRate = None,
) -> ByShape:
    """Muon; polar: "newton_schulz" or "polar_express" with ``ns_steps`` iterations, or "exact" (without).

    scale: see :class:`~muon_imbalance.optimizers.geometry.norms.Spectral`. beta2 and eps belong to Adam on the vectors.
    Matrices whose names match ``adam_on`` (a regular expression, such as "embedding"; "": none) take Adam as well;
    adam_lr: its learning rate (None: lr).
    """
    norm = (Spectral if polar == "exact" else SpectralIterated)(polar_factor(polar, ns_steps), scale)
    return ByShape(
        matrices=Steepest(norm, lr, momentum, weight_decay, nesterov),
        vectors=Adam(lr if adam_lr is None else adam_lr, momentum, beta2, eps, weight_decay, decoupled=True),
        with_vectors=adam_on,
    )


@rule
def muon_ns1(
    *,
    lr: Rate = 0.02,
    momentum: Momentum = 0.95,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = True,
    scale: Scale = "original",
    beta2: Beta2 = 0.95,
    eps: Eps = 1e-10,
) -> ByShape:
    """Muon with one Newton-Schulz iteration, the literal reading of App. A."""
    return muon(ns_steps=1, **locals())


@rule
def muon_exact(
    *,
    lr: Rate = 0.02,
    momentum: Momentum = 0.95,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = True,
    scale: Scale = "original",
    beta2: Beta2 = 0.95,
    eps: Eps = 1e-10,
) -> ByShape:
    """Muon with the exact polar factor; Table 1's Muon with nesterov=False, scale="none"."""
    return muon(polar="exact", **locals())
