"""Muon: spectral steepest descent with Nesterov momentum for matrices, Adam for vectors.

    M_t = beta M_{t-1} + (1 - beta) G_t;   Z_t = beta M_t + (1 - beta) G_t
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * sqrt(max(1, rows/cols)) * O_t,   O_t ~ U V^T of Z_t = U S V^T

Vectors take Adam with the same lr, beta1 = beta and decoupled weight decay. Source: Table 1, App. A and
Keller Jordan's code, whose defaults these are.
"""

from collections.abc import Callable

from torch import Tensor

from muon_imbalance.optimizers.adam import Adam
from muon_imbalance.optimizers.base.hyperparameters import choice, flag, hyper, pattern, whole
from muon_imbalance.optimizers.base.matrices_and_vectors import ByShape
from muon_imbalance.optimizers.geometry.newton_schulz import NewtonSchulz
from muon_imbalance.optimizers.geometry.norms import Spectral
from muon_imbalance.optimizers.geometry.polar import exact
from muon_imbalance.optimizers.geometry.quintic_coefficients import POLAR_EXPRESS
from muon_imbalance.optimizers.steepest import Steepest

OPTIMIZERS = ("muon", "muon_ns1", "muon_exact")


def polar_factor(polar: str, ns_steps: int) -> Callable[[Tensor], Tensor]:
    """The map X -> U V^T that `polar` names, with `ns_steps` iterations where it iterates."""
    steps = whole("ns_steps", ns_steps, 1, 99)
    return {
        "newton_schulz": NewtonSchulz(steps),
        "polar_express": NewtonSchulz(steps, POLAR_EXPRESS),
        "exact": exact,
    }[choice("polar", polar, ("newton_schulz", "polar_express", "exact"))]


def muon(
    *,
    lr=0.02,
    momentum=0.95,
    weight_decay=0.0,
    nesterov=True,
    scale="original",
    polar="newton_schulz",
    ns_steps=5,
    beta2=0.95,
    eps=1e-10,
    adam_on="",
    adam_lr=None,
) -> ByShape:
    """Muon; polar: "newton_schulz" or "polar_express" with `ns_steps` iterations, or "exact" (without).

    scale: "original", "kernel" or "none", see Steepest. beta2 and eps belong to Adam on the vectors. Matrices whose
    names match `adam_on` (a regular expression, such as "embedding"; "": none) take Adam as well; adam_lr: its learning
    rate (None: lr).
    """
    lr = hyper("lr", lr)
    momentum = hyper("momentum", momentum, below=1)
    weight_decay = hyper("weight_decay", weight_decay)
    norm = Spectral(polar_factor(polar, ns_steps))
    scale = choice("scale", scale, ("original", "kernel", "none"))
    beta2, eps = hyper("beta2", beta2, below=1), hyper("eps", eps)
    return ByShape(
        matrices=Steepest(norm, lr, momentum, weight_decay, flag("nesterov", nesterov), scale),
        vectors=Adam(
            lr if adam_lr is None else hyper("adam_lr", adam_lr), momentum, beta2, eps, weight_decay, decoupled=True
        ),
        with_vectors=pattern("adam_on", adam_on),
    )


def muon_ns1(
    *, lr=0.02, momentum=0.95, weight_decay=0.0, nesterov=True, scale="original", beta2=0.95, eps=1e-10
) -> ByShape:
    """Muon with one Newton-Schulz iteration, the literal reading of App. A."""
    options = {"nesterov": nesterov, "scale": scale, "beta2": beta2, "eps": eps}
    return muon(lr=lr, momentum=momentum, weight_decay=weight_decay, ns_steps=1, **options)


def muon_exact(
    *, lr=0.02, momentum=0.95, weight_decay=0.0, nesterov=True, scale="original", beta2=0.95, eps=1e-10
) -> ByShape:
    """Muon with the exact polar factor; Table 1's Muon with nesterov=False, scale="none"."""
    options = {"nesterov": nesterov, "scale": scale, "beta2": beta2, "eps": eps}
    return muon(lr=lr, momentum=momentum, weight_decay=weight_decay, polar="exact", **options)
