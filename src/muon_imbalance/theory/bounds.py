"""Theorems 1-4: how far SpecGF is ahead of GF and NGF at equal time.

Gaps are L(GF or NGF) - L(SpecGF) for the minority class and for the balanced loss, at ``0 < t <= t* = r_m``. With

    x   = p_m (SNR + k) / (1 + p_m SNR)
    rho = p_m (1 + p_m SNR) / (p_M - p_m)

every mixture has ``gap >= rate * mu * t`` with the rates of :func:`rates` (the proofs of App. B.3 and B.4 with all
constants kept); a rate at or below zero says nothing. The theorems are special cases: their conditions lift the rates
above 1/4 or 1/2. Theorems 1 and 2 are the simplified statements, 3 and 4 the full ones. The paper's own wording is not
available to us: the conditions are reconstructed, the constants follow from :func:`rates`.
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

    conditions: dict[str, tuple[float, float, bool]]

    @property
    def applies(self) -> bool:
        return all(met for _, _, met in self.conditions.values())


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


CONDITIONS: dict[str, Callable[[Mixture], tuple[float, float, bool]]] = {
    "mu >= 1": lambda m: _at_least(m.mu, 1.0),
    "k >= 3 mu": lambda m: _at_least(m.k, 3 * m.mu),
    "k >= 9": lambda m: _at_least(m.k, 9),
    "k >= 16": lambda m: _at_least(m.k, 16),
    "p_m <= 1/(5 SNR + 6 k)": lambda m: _at_most(min(m.p), 1 / (5 * m.snr + 6 * m.k)),
    "mu p_m <= 1/2": lambda m: _at_most(m.mu * min(m.p), 1 / 2),
    "x <= 1/6": lambda m: _at_most(saturation_fraction(m), 1 / 6),
    "x <= 1/4": lambda m: _at_most(saturation_fraction(m), 1 / 4),
    "rho <= 1/4": lambda m: _at_most(minority_share(m), 1 / 4),
    "rho <= 1/3": lambda m: _at_most(minority_share(m), 1 / 3),
}
"""Text of a condition -> (value, bound, met)."""


def _met(condition: str, mixture: Mixture) -> bool:
    return CONDITIONS[condition](mixture)[2]


def _theorem4_minority(mixture: Mixture) -> tuple[str, ...]:
    other = not _met("rho <= 1/4", mixture) and _met("x <= 1/6", mixture)
    return ("x <= 1/6", "rho <= 1/3") if other else ("x <= 1/4", "rho <= 1/4")


def _theorem4_balanced(mixture: Mixture) -> tuple[str, ...]:
    other = not _met("x <= 1/6", mixture) and _met("k >= 16", mixture)
    return ("x <= 1/4", "k >= 16") if other else ("x <= 1/6", "k >= 9")


_SIMPLIFIED = ("mu >= 1", "k >= 3 mu", "p_m <= 1/(5 SNR + 6 k)")
THEOREMS: dict[str, dict[str, Callable[[Mixture], tuple[str, ...]]]] = {
    "theorem1": {"minority": lambda _: _SIMPLIFIED, "balanced": lambda _: _SIMPLIFIED},
    "theorem2": {"minority": lambda _: _SIMPLIFIED, "balanced": lambda _: (*_SIMPLIFIED, "k >= 9")},
    "theorem3": {"minority": lambda _: ("mu p_m <= 1/2", "x <= 1/4"), "balanced": lambda _: ("k >= 3 mu", "x <= 1/6")},
    "theorem4": {"minority": _theorem4_minority, "balanced": _theorem4_balanced},
}
"""Conditions of each theorem and part; they give the gaps of :data:`CONSTANTS`.

Theorems 1 (GF) and 2 (NGF) are simplified: ``mu >= 1`` is stated but not needed; ``k >= 9`` is added for the balanced
part of Theorem 2, which is false without it: for p = (0.4723, 0.4723, 0.0554), mu = 1, sigma2 = 100 the gap falls to
0.447 mu t. Each part of Theorem 4 (NGF, full) has two pairs of conditions, of which the nearer is shown.
"""


def applies(theorem: str, mixture: Mixture, part: str = "both") -> Applies:
    """Whether a theorem covers a mixture; ``part``: minority, balanced, or both (ValueError for any other)."""
    if part not in (*PARTS, "both"):
        raise ValueError(f"part is {part!r}; allowed: minority, balanced, both")
    texts = [text for one in (PARTS if part == "both" else (part,)) for text in THEOREMS[theorem][one](mixture)]
    return Applies({text: CONDITIONS[text](mixture) for text in texts})
