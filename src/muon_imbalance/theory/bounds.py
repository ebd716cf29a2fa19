"""Theorems 1-4: how far SpecGF is ahead of GF and NGF at equal time.

Gaps are L(GF or NGF) - L(SpecGF) for the minority class and for the balanced loss, at ``0 < t <= t* = r_m``.
With

    x   = p_m (SNR + k) / (1 + p_m SNR)
    rho = p_m (1 + p_m SNR) / (p_M - p_m)

every mixture has ``gap >= rate * mu * t`` with the rates of :func:`rates` (the proofs of App. B.3 and B.4
with all constants kept); a rate at or below zero says nothing. The theorems are special cases: their
conditions lift the rates above 1/4 or 1/2. Theorems 1 and 2 are the simplified statements, 3 and 4 the full
ones. The paper's own wording is not available to us: the conditions are reconstructed, the constants follow
from :func:`rates`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from muon_imbalance.theory.moments import Mixture

PARTS = ("minority", "balanced")

CONSTANTS = {
    "theorem1": {"minority": 1 / 4, "balanced": 1 / 2},
    "theorem2": {"minority": 1 / 2, "balanced": 1 / 2},
    "theorem3": {"minority": 1 / 4, "balanced": 1 / 2},
    "theorem4": {"minority": 1 / 2, "balanced": 1 / 2},
}
"""``gap >= constant * mu * t`` per theorem and part; theorems 1 and 3 are about GF, 2 and 4 about NGF."""


@dataclass(frozen=True)
class Applies:
    """Whether a statement applies. ``conditions`` maps each condition's text to (value, bound, met)."""

    applies: bool
    conditions: dict[str, tuple[float, float, bool]]


def saturation_fraction(mixture: Mixture) -> float:
    """``x = p_m (SNR + k) / (1 + p_m SNR) = t* (mu + sigma2 k / mu)``.

    ``x <= 1/6`` is the paper's ``p_m <= 1/(5 SNR + 6 k)``; ``x <= 1/4`` is ``p_m <= 1/(3 SNR + 4 k)``.
    """
    p = min(mixture.p)
    return p * (mixture.snr + mixture.k) / (1 + p * mixture.snr)


def minority_share(mixture: Mixture) -> float:
    """``rho = p_m (1 + p_m SNR) / (p_M - p_m)``: NGF's speed along the minority is at most rho until t*.

    Infinite (no bound) for uniform classes.
    """
    low, high = min(mixture.p), max(mixture.p)
    return low * (1 + low * mixture.snr) / (high - low) if high > low else math.inf


def rates(mixture: Mixture) -> dict[str, dict[str, float]]:
    """Lower bounds of ``gap / (mu t)`` on ``0 < t <= t*`` for every mixture: {"gf" | "ngf": {part: rate}}."""
    x, k = saturation_fraction(mixture), mixture.k
    return {
        "gf": {"minority": 1 - mixture.mu * min(mixture.p) - x, "balanced": 1 - mixture.mu / k - x},
        "ngf": {"minority": 1 - minority_share(mixture) - x, "balanced": 1 - k**-0.5 - x},
    }


def _at_most(value: float, bound: float) -> tuple[float, float, bool]:
    return value, bound, value <= bound


def _at_least(value: float, bound: float) -> tuple[float, float, bool]:
    return value, bound, value >= bound


def _all(conditions: dict[str, tuple[float, float, bool]]) -> Applies:
    return Applies(all(met for _, _, met in conditions.values()), conditions)


def _parts(part: str) -> tuple[str, ...]:
    if part not in (*PARTS, "both"):
        raise ValueError(f"part is {part!r}; allowed: minority, balanced, both")
    return PARTS if part == "both" else (part,)


def _simplified(mixture: Mixture) -> dict[str, tuple[float, float, bool]]:
    bound = 1 / (5 * mixture.snr + 6 * mixture.k)
    return {
        "mu >= 1": _at_least(mixture.mu, 1.0),
        "k >= 3 mu": _at_least(mixture.k, 3 * mixture.mu),
        "p_m <= 1/(5 SNR + 6 k)": _at_most(min(mixture.p), bound),
    }


def theorem1_applies(mixture: Mixture, part: str = "both") -> Applies:
    """Theorem 1 (GF, simplified): gaps >= mu t / 4 (minority) and mu t / 2 (balanced), same conditions.

    ``mu >= 1`` is stated but not needed.
    """
    _parts(part)
    return _all(_simplified(mixture))


def theorem2_applies(mixture: Mixture, part: str = "both") -> Applies:
    """Theorem 2 (NGF, simplified): gaps >= mu t / 2.

    ``k >= 9`` is added for the balanced part, which is false without it: for p = (0.4723, 0.4723,
    0.0554), mu = 1, sigma2 = 100 the gap falls to 0.447 mu t.
    """
    needed = {"k >= 9": _at_least(mixture.k, 9)} if "balanced" in _parts(part) else {}
    return _all(_simplified(mixture) | needed)


def theorem3_applies(mixture: Mixture, part: str = "both") -> Applies:
    """Theorem 3 (GF, full): minority gap >= mu t / 4; balanced gap >= mu t / 2 under its own conditions."""
    x, parts, conditions = saturation_fraction(mixture), _parts(part), {}
    if "minority" in parts:
        conditions |= {
            "mu p_m <= 1/2": _at_most(mixture.mu * min(mixture.p), 1 / 2),
            "x <= 1/4": _at_most(x, 1 / 4),
        }
    if "balanced" in parts:
        conditions |= {"k >= 3 mu": _at_least(mixture.k, 3 * mixture.mu), "x <= 1/6": _at_most(x, 1 / 6)}
    return _all(conditions)


def theorem4_applies(mixture: Mixture, part: str = "both") -> Applies:
    """Theorem 4 (NGF, full): gaps >= mu t / 2. Each part has two pairs of conditions; the nearer is shown.

    Minority: x <= 1/4 and rho <= 1/4, or x <= 1/6 and rho <= 1/3. Balanced: x <= 1/6 and k >= 9, or x <= 1/4
    and k >= 16.
    """
    x, rho, k = saturation_fraction(mixture), minority_share(mixture), mixture.k
    parts, conditions = _parts(part), {}
    if "minority" in parts:
        if rho > 1 / 4 and x <= 1 / 6:
            conditions |= {"x <= 1/6": _at_most(x, 1 / 6), "rho <= 1/3": _at_most(rho, 1 / 3)}
        else:
            conditions |= {"x <= 1/4": _at_most(x, 1 / 4), "rho <= 1/4": _at_most(rho, 1 / 4)}
    if "balanced" in parts:
        if x > 1 / 6 and k >= 16:
            conditions |= {"x <= 1/4": _at_most(x, 1 / 4), "k >= 16": _at_least(k, 16)}
        else:
            conditions |= {"x <= 1/6": _at_most(x, 1 / 6), "k >= 9": _at_least(k, 9)}
    return _all(conditions)


THEOREMS: dict[str, Callable[..., Applies]] = {
    "theorem1": theorem1_applies,
    "theorem2": theorem2_applies,
    "theorem3": theorem3_applies,
    "theorem4": theorem4_applies,
}
