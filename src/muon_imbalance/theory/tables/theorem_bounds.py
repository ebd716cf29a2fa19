"""Theorems 1-4 against thousands of random mixtures, inside and outside their conditions (fig_s1).

Rows per mixture (``step``: its number; ``curve``: how it was drawn, see :func:`draw`):

* group ``all``: metrics ``k``, ``mu``, ``snr``, ``p_m``, ``p_M``, ``x`` (:func:`bounds.saturation_fraction`);
* groups ``minority``, ``balanced``: ``gap_gf``, ``gap_ngf`` (smallest ``gap / (mu t)`` on ``0 < t <= t*``),
  ``rate_gf``, ``rate_ngf`` (:func:`bounds.rates`), ``theorem1`` .. ``theorem4`` (whether it applies, 1 or 0);
* groups named after the conditions of Theorems 1 and 2 as stated: metric ``met`` (1 or 0).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.theory import bounds, sweep
from muon_imbalance.theory.moments import Mixture
from muon_imbalance.theory.options import Mixtures, Seed
from muon_imbalance.theory.tables.rows import frame, rows


class Draws(Settings):
    """How many mixtures are drawn in each way, see :func:`draw`."""

    inside: int = Field(ge=1, le=1_000_000, description="inside the conditions of Theorems 1 and 2")
    edge: int = Field(ge=1, le=1_000_000, description="at the edge of the conditions, where the gaps are smallest")
    anywhere: int = Field(ge=1, le=1_000_000, description="inside or outside the conditions")


class Options(Settings):
    """Theorems 1 to 4 against random mixtures, inside and outside their conditions (fig_s1)."""

    draws: Draws = Field(description="number of mixtures drawn in each way")
    most_classes: int = Field(ge=3, le=100, description="largest number of classes drawn")
    mixtures: Mixtures = Field(description="data models added to the draws, by the name that their rows get")
    seed: Seed = Field(0, description="seed of the draws")


def draw(kind: str, rng: np.random.Generator, most: int) -> Mixture:
    """One random mixture with up to ``most`` classes.

    ``inside``: ``k >= 3 mu`` and ``p_m <= 1/(5 SNR + 6 k)``, in half of the draws with equality, mu above and
    below 1. ``edge``: the same with equality, low SNR and nearly equal other classes, where the gaps are
    smallest. ``anywhere``: any classes, means and noise.
    """
    k = int(rng.integers(2 if kind == "anywhere" else 3, most + 1))
    if kind == "anywhere":
        p = np.maximum(rng.dirichlet(np.full(k, 10 ** rng.uniform(-0.5, 2))), 1e-4)
        mu, snr = 10 ** rng.uniform(-1, 1), 10 ** rng.uniform(-2, 2)
    else:
        edge = kind == "edge"
        mu = rng.uniform(1, k / 3) if edge else 10 ** rng.uniform(-1, np.log10(k / 3))
        snr = 10 ** rng.uniform(-2, -1 if edge else 2)
        at_bound = edge or rng.random() < 0.5
        rare = (1 - 1e-9 if at_bound else rng.uniform(0.02, 1)) / (5 * snr + 6 * k)
        others = rng.dirichlet(np.full(k - 1, 10 ** rng.uniform(2 if edge else -1, 3)))
        p = rare + (1 - k * rare) * np.append(others, 0.0)
    return Mixture(k, k, tuple(p / p.sum()), float(mu), float(mu**2 / snr))


def _ratios(drawn: list[Mixture]) -> dict[str, dict[str, np.ndarray]]:
    """:func:`sweep.worst_ratios` of mixtures with different numbers of classes."""
    found = {flow: {part: np.empty(len(drawn)) for part in bounds.PARTS} for flow in ("gf", "ngf")}
    sizes = np.array([mixture.k for mixture in drawn])
    for k in np.unique(sizes):
        chosen = np.flatnonzero(sizes == k)
        p, mu, sigma2 = (
            np.array([getattr(drawn[i], name) for i in chosen], dtype=np.float64) for name in ("p", "mu", "sigma2")
        )
        for flow, by_part in sweep.worst_ratios(p, mu, sigma2).items():
            for part, values in by_part.items():
                found[flow][part][chosen] = values
    return found


def table(options: Options, data: Path | None = None) -> pd.DataFrame:
    """The table, see the module's text; ``mixtures`` are added to the draws under their own names."""
    drawn, kinds = [], []
    for number, (kind, count) in enumerate(options.draws):
        rng = np.random.default_rng([options.seed, number])
        drawn += [draw(kind, rng, options.most_classes) for _ in range(count)]
        kinds += [kind] * count
    drawn += [Mixture.of(settings) for settings in options.mixtures.values()]
    return frame(_rows(drawn, np.array(kinds + list(options.mixtures))))


def _rows(drawn: list[Mixture], kinds: np.ndarray) -> list[pd.DataFrame]:
    steps, parts = np.arange(len(drawn)), []

    def add(metric: str, group: str, values: Any) -> None:
        parts.append(rows(kinds, metric, group, values, steps))

    add("k", "all", [m.k for m in drawn])
    add("mu", "all", [m.mu for m in drawn])
    add("snr", "all", [m.snr for m in drawn])
    add("p_m", "all", [min(m.p) for m in drawn])
    add("p_M", "all", [max(m.p) for m in drawn])
    add("x", "all", [bounds.saturation_fraction(m) for m in drawn])
    proved = [bounds.rates(m) for m in drawn]
    for flow, by_part in _ratios(drawn).items():
        for part, values in by_part.items():
            add(f"gap_{flow}", part, values)
            add(f"rate_{flow}", part, [rate[flow][part] for rate in proved])
    for theorem in bounds.THEOREMS:
        for part in bounds.PARTS:
            add(theorem, part, [bounds.applies(theorem, m, part).applies for m in drawn])
    stated = [bounds.applies("theorem1", m).conditions for m in drawn]
    for condition in stated[0]:
        add("met", condition, [conditions[condition][2] for conditions in stated])
    return parts
