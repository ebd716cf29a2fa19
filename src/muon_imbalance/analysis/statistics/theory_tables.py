"""Statistics of closed forms alone: of the tables that ``muon_imbalance.theory.tables`` makes (no run is read).

Each looks at many mixtures, times or samples and returns the worst value, with their number as ``count``.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np

from muon_imbalance.analysis.statistics.evidence import Experiment, Missing
from muon_imbalance.analysis.statistics.protocol import Measured, Number, statistic
from muon_imbalance.common.errors import UserError
from muon_imbalance.theory import bounds

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("k >= 3 mu", "p_m <= 1/(5 SNR + 6 k)")
STATED = ("mu >= 1", *NEEDED)
"""Conditions of Theorems 1 and 2 in their simplified form; the first one is not needed for the proofs."""


def _table(experiment: Experiment) -> "pd.DataFrame":
    """The experiment's theory table, one row per mixture, columns (metric, group)."""
    if "wide" not in experiment.cache:
        wide = experiment.closed_forms.pivot(index="step", columns=["metric", "group"], values="value")
        experiment.cache["wide"] = wide
    return experiment.cache["wide"]


def _rows(experiment: Experiment, curve: str, metric: str, group: str) -> "pd.DataFrame":
    """Rows of one curve; a curve that the table does not hold is a :class:`UserError`."""
    table = experiment.closed_forms
    found = table[(table["curve"] == curve) & (table["metric"] == metric) & (table["group"] == group)]
    if found.empty:
        there = ", ".join(sorted(table.loc[table["curve"] == curve, "metric"].unique())) or "no such curve"
        raise UserError(f"theory of {experiment.name}: {curve} has no {metric} ({group}); there are: {there}")
    return found


@statistic("experiment")
def smallest_ratio(
    experiment: Experiment,
    *,
    flow: Literal["gf", "ngf"],
    part: Literal["minority", "balanced"],
    inside: Literal["anywhere", "stated", "needed", "theorem1", "theorem2", "theorem3", "theorem4"] = "anywhere",
    beyond: Literal["zero", "rate"] = "zero",
    k_from: int = 0,
    k_below: int | None = None,
    mu_below: Number | None = None,
    only: str = "",
) -> Measured:
    """Smallest ``gap / (mu t)`` over the mixtures of a table of theorem bounds, minus 0 or the proved rate.

    ``inside``: only mixtures that meet the stated conditions of Theorems 1 and 2, those without ``mu >= 1``
    (needed), or all conditions of a theorem for this part. ``only``: the mixture of this name.
    """
    table = _table(experiment)
    chosen = table["k", "all"] >= k_from
    for name, below in (("k", k_below), ("mu", mu_below)):
        chosen &= True if below is None else table[name, "all"] < below
    for condition in {"stated": STATED, "needed": NEEDED}.get(inside, ()):
        chosen &= table["met", condition] == 1
    if inside.startswith("theorem"):
        chosen &= table[inside, part] == 1
    if only:
        chosen &= table.index.isin(experiment.theory.loc[experiment.theory["curve"] == only, "step"])
    if not chosen.any():
        raise Missing(f"no mixture of {experiment.name} meets the conditions")
    values = table.loc[chosen, (f"gap_{flow}", part)]
    if beyond == "rate":
        values = values - table.loc[chosen, (f"rate_{flow}", part)]
    at = table.loc[values.idxmin()]
    where = f"k = {at['k', 'all']:g}, mu = {at['mu', 'all']:.3g}, SNR = {at['snr', 'all']:.3g}"
    where += f", p_m = {at['p_m', 'all']:.3g}"
    return Measured(
        float(values.min()),
        note=f"{'the mixture' if only else f'smallest of {len(values):,} mixtures, at'} {where}",
        count=len(values),
    )


@statistic("experiment")
def theory_extreme(
    experiment: Experiment,
    *,
    curve: str,
    metric: str,
    of: Literal["smallest", "largest", "largest_size"],
    group: str = "all",
    step: Number | Literal["all", "last"] = "all",
    relative_to: str = "",
) -> Measured:
    """Extreme value of one curve of a theory table, over all its rows, those of one ``step`` or of its last.

    ``relative_to``: another metric of the same curve and group by which it is divided, row by row.
    """

    def values(name: str) -> np.ndarray:
        table = _rows(experiment, curve, name, group)
        if step != "all":
            at = table["step"].max() if step == "last" else step
            table = table[table["step"] == at]
            if table.empty:
                raise UserError(f"theory of {experiment.name}: {curve} has no {name} ({group}) at step {at:g}")
        return table.sort_values(["step", "t"])["value"].to_numpy(dtype=float)

    found = values(metric)
    if relative_to:
        found = found / values(relative_to)
    found = np.abs(found) if of == "largest_size" else found
    value = found.min() if of == "smallest" else found.max()
    return Measured(float(value), count=len(found))


@statistic("experiment")
def power(experiment: Experiment, *, curve: str, metric: str, group: str = "all") -> Measured:
    """Slope of ``ln(mean value)`` against ``ln(step)`` (least squares): the power with which a curve falls."""
    rows = _rows(experiment, curve, metric, group)
    means = rows.groupby("step")["value"].mean()
    if len(means) < 2 or (means.index <= 0).any() or (means <= 0).any():
        raise UserError(f"theory of {experiment.name}: {curve}, {metric} ({group}) has no two steps with values > 0")
    slope = np.polyfit(np.log(means.index.to_numpy(float)), np.log(means.to_numpy()), 1)[0]
    return Measured(float(slope), count=len(rows))


@statistic("experiment")
def rarity_excess(experiment: Experiment) -> Measured:
    """Minority prior minus the largest one that Theorems 1 and 2 admit, ``1 / (5 SNR + 6 k)``."""
    mixture = experiment.mixture
    rarest, bound, _ = bounds.applies("theorem1", mixture).conditions[NEEDED[1]]
    note = f"minority prior {rarest:g}, SNR {mixture.snr:g}, k = {mixture.k}: allowed is at most {bound:.3g}"
    return Measured(rarest - bound, note=note)
