"""What part of SpecGF's lead is imbalance and what part is step length (fig_s2).

SpecGF moves every component at unit speed, so it is ahead of GF and NGF at equal time even for balanced classes. Slowed
to ``1/sqrt(k)`` (equal Frobenius speed) or compared at equal total loss, it has no lead at uniform p; what is left
otherwise is the effect of imbalance. Rows per mixture (``curve``), with the groups ``minority`` and ``balanced``:

* by time, ``t`` in (0, t*], ``step`` 1 .. points: ``loss_gf``, ``loss_ngf``, ``loss_specgf``,
  ``loss_specgf_slowed``; ``gap_gf``, ``gap_ngf`` (theorems: equal time), ``gap_ngf_slowed`` (equal Frobenius
  step) and ``step_length = gap_ngf - gap_ngf_slowed``;
* by progress, ``t`` in (0, 1), the share of the way of the total loss: ``equal_loss_gf`` (= NGF: same path),
  ``equal_loss_specgf`` and ``equal_loss_gap``; group ``all``: ``total``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.theory import flows, losses
from muon_imbalance.theory.bounds import PARTS
from muon_imbalance.theory.moments import Mixture, population_moments
from muon_imbalance.theory.options import Mixtures
from muon_imbalance.theory.tables.rows import frame, rows

Array = NDArray[np.float64]
Parts = dict[str, Array]
"""``minority`` and ``balanced``."""

FLOWS = {
    "gf": lambda t, m: flows.gf(t, m.s_xx, m.s_yx),
    "ngf": lambda t, m: flows.ngf(t, m.s_xx, m.s_yx),
    "specgf": lambda t, m: flows.specgf(t, m.r),
    "specgf_slowed": lambda t, m: flows.slowed_specgf(t, m.r),
}
"""Times [...] and moments -> alpha [..., k]."""


class Options(Settings):
    """What part of SpecGF's lead is imbalance and what part is step length, by mixture (fig_s2)."""

    mixtures: Mixtures = Field(description="data models, by the name that their curves get")
    points: int = Field(ge=2, le=10_000, description="times, and shares of the way of the total loss, of each curve")


def table(options: Options, data: Path | None = None) -> pd.DataFrame:
    """The table, see the module's text."""
    steps, parts = np.arange(1, options.points + 1), []
    for name, settings in options.mixtures.items():
        mixture = Mixture.of(settings)
        t, progress = first_fit_time(mixture) * steps / options.points, steps / (options.points + 1)
        for metric, found in _by_time(mixture, t).items():
            parts += [rows(name, metric, part, found[part], steps, t) for part in PARTS]
        total, same = equal_loss(mixture, progress)
        parts.append(rows(name, "total", "all", total, steps, progress))
        for part in PARTS:
            parts += [rows(name, f"equal_loss_{metric}", part, same[metric][part], steps, progress) for metric in same]
    return frame(parts)


def _by_time(mixture: Mixture, t: Array) -> dict[str, Parts]:
    found = {f"loss_{flow}": flow_losses(flow, mixture, t) for flow in FLOWS}
    found["gap_gf"] = _difference(found["loss_gf"], found["loss_specgf"])
    found["gap_ngf"] = _difference(found["loss_ngf"], found["loss_specgf"])
    found["gap_ngf_slowed"] = _difference(found["loss_ngf"], found["loss_specgf_slowed"])
    return found | {"step_length": _difference(found["gap_ngf"], found["gap_ngf_slowed"])}


def first_fit_time(mixture: Mixture) -> float:
    """``t* = r_m``: the time at which SpecGF fits its first component, the minority."""
    return float(population_moments(mixture).r[mixture.minority])


def flow_losses(flow: str, mixture: Mixture, t: ArrayLike) -> Parts:
    """Losses of one of :data:`FLOWS` at the times ``t`` [...]."""
    return _parts(losses.class_losses(FLOWS[flow](t, population_moments(mixture)), mixture), mixture)


def _parts(by_class: Array, mixture: Mixture) -> Parts:
    return {"minority": losses.minority(by_class, mixture), "balanced": losses.balanced(by_class)}


def _difference(behind: Parts, ahead: Parts) -> Parts:
    return {part: behind[part] - ahead[part] for part in PARTS}


def gaps(mixture: Mixture, t: ArrayLike, reference: str = "gf", slowed: bool = False) -> Parts:
    """Loss of the reference flow minus loss of SpecGF at equal times ``t`` [...].

    Args:
        reference: "gf" (Theorems 1, 3) or "ngf" (Theorems 2, 4).
        slowed: SpecGF at speed 1/sqrt(k).
    """
    if reference not in ("gf", "ngf"):
        raise ValueError(f"reference is {reference!r}; allowed: gf, ngf")
    ahead = "specgf_slowed" if slowed else "specgf"
    return _difference(flow_losses(reference, mixture, t), flow_losses(ahead, mixture, t))


def _bisect(below, low: Array, high: Array) -> Array:
    """Root per entry: ``below(x)`` is True left of it. 80 halvings: the spacing of float64."""
    for _ in range(80):
        middle = (low + high) / 2
        left = below(middle)
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return (low + high) / 2


def equal_loss(mixture: Mixture, progress: ArrayLike) -> tuple[Array, dict[str, Parts]]:
    """The total loss [...], and the losses of GF (= NGF: same path) and of SpecGF where they have reached it.

    Args:
        progress: [...] in (0, 1): share of the way of the total loss from its start (W = 0) to its minimum.
    Returns:
        the total, and ``gf``, ``specgf`` and ``gap`` (GF minus SpecGF), each by part.
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
    gf, specgf = (_parts(by_class, mixture) for by_class in (on_gf(x), on_specgf(t)))
    return level, {"gf": gf, "specgf": specgf, "gap": _difference(gf, specgf)}
