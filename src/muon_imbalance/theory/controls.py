"""What the theorems' equal-time gap measures, and controls at equal step length and at equal total loss.

SpecGF moves every component at unit speed, so it is ahead of GF and NGF at equal time even for balanced
classes. Slowed to ``1/sqrt(k)`` (equal Frobenius speed) or compared at equal total loss, it has no lead at
uniform p; what is left otherwise is the effect of imbalance.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muon_imbalance.theory import flows, losses
from muon_imbalance.theory.moments import Mixture, population_moments

Array = NDArray[np.float64]


def gaps(mixture: Mixture, t: ArrayLike, reference: str = "gf", slowed: bool = False) -> dict[str, Array]:
    """Loss of the reference flow minus loss of SpecGF at equal times ``t`` [...]: minority and balanced.

    Args:
        reference: "gf" (Theorems 1, 3) or "ngf" (Theorems 2, 4).
        slowed: SpecGF at speed 1/sqrt(k).
    """
    if reference not in ("gf", "ngf"):
        raise ValueError(f"reference is {reference!r}; allowed: gf, ngf")
    m = population_moments(mixture)
    flow = flows.gf if reference == "gf" else flows.ngf
    spectral = flows.slowed_specgf(t, m.r) if slowed else flows.specgf(t, m.r)
    behind = losses.class_losses(flow(t, m.s_xx, m.s_yx), mixture)
    ahead = losses.class_losses(spectral, mixture)
    return {
        "minority": losses.minority(behind, mixture) - losses.minority(ahead, mixture),
        "balanced": losses.balanced(behind) - losses.balanced(ahead),
    }


def first_fit_time(mixture: Mixture) -> float:
    """``t* = r_m``: the time at which SpecGF fits its first component, the minority."""
    return float(population_moments(mixture).r[mixture.minority])


def _bisect(below, low: Array, high: Array) -> Array:
    """Root per entry: ``below(x)`` is True left of it. 80 halvings: the spacing of float64."""
    for _ in range(80):
        middle = (low + high) / 2
        left = below(middle)
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return (low + high) / 2


def equal_loss(mixture: Mixture, progress: ArrayLike) -> dict[str, Array]:
    """Minority and balanced loss of GF (= NGF: same path) and of SpecGF where their total losses are equal.

    Args:
        progress: [...] in (0, 1): share of the way of the total loss from its start (W = 0) to its minimum.
    Returns:
        arrays [...]: ``total``, ``gf_minority``, ``specgf_minority``, ``gf_balanced``, ``specgf_balanced``,
        ``minority_gap``, ``balanced_gap`` (GF minus SpecGF).
    """
    progress = np.asarray(progress, dtype=np.float64)
    if np.any((progress <= 0) | (progress >= 1)):
        raise ValueError("progress must lie strictly between 0 and 1")
    m = population_moments(mixture)
    slowest = m.s_xx.min()

    def by_class(alpha: Array) -> Array:
        return losses.class_losses(alpha, mixture)

    def on_gf(x: Array) -> Array:  # x = 1 - e^(-s_min tau) in [0, 1]
        return by_class(m.r * (1 - (1 - x[..., None]) ** (m.s_xx / slowest)))

    def on_specgf(t: Array) -> Array:
        return by_class(flows.specgf(t, m.r))

    start, end = (float(losses.total(by_class(alpha), mixture)) for alpha in (np.zeros(mixture.k), m.r))
    level = start + progress * (end - start)
    zero = np.zeros_like(progress)
    x = _bisect(lambda x: losses.total(on_gf(x), mixture) > level, zero, zero + 1)
    t = _bisect(lambda t: losses.total(on_specgf(t), mixture) > level, zero, zero + m.r.max())
    gf, spec = on_gf(x), on_specgf(t)
    found = {
        "total": level,
        "gf_minority": losses.minority(gf, mixture),
        "specgf_minority": losses.minority(spec, mixture),
        "gf_balanced": losses.balanced(gf),
        "specgf_balanced": losses.balanced(spec),
    }
    for part in ("minority", "balanced"):
        found[f"{part}_gap"] = found[f"gf_{part}"] - found[f"specgf_{part}"]
    return found
