"""Statistics of Fig. 8, whose configurations are selected anew for every number of epochs; part of the closed list."""

import math

import numpy as np

from muon_imbalance.analysis.statistics import epochwise
from muon_imbalance.analysis.statistics.evidence import Experiment, Missing, Run, Series
from muon_imbalance.analysis.statistics.registry import Measured, register
from muon_imbalance.common.errors import UserError


def _curves(experiment: Experiment, optimizer: str, group: str, split: str):
    key = ("epochwise", optimizer, group, split)
    if key not in experiment.cache:
        experiment.cache[key] = epochwise.accuracies(experiment.frame, optimizer, group, split)
    return experiment.cache[key]


def _difference(a: Run, b: Run, group: str, split: str) -> Series:
    first, second = (_curves(run.experiment, run.optimizer, group, split) for run in (a, b))
    if not np.array_equal(first.index, second.index) or a.seed not in first or b.seed not in second:
        raise UserError(f"{a.optimizer} and {b.optimizer} are not recorded at the same epochs")
    return first.index.to_numpy(), (first[a.seed] - second[b.seed]).to_numpy(dtype=float)


@register("pair")
def selected_gap(a: Run, b: Run, *, group: str, split: str = "test") -> Series:
    """Accuracy of ``a`` minus that of ``b`` at every number of epochs e, each with the configuration selected for e."""
    return _difference(a, b, group, split)


@register("pair")
def selected_gap_at_end(a: Run, b: Run, *, group: str, split: str = "test") -> Measured:
    """The same at the largest number of epochs."""
    return Measured(float(_difference(a, b, group, split)[1][-1]))


@register("setting")
def selected_gap_over_spread(
    experiment: Experiment, *, optimizer: str, other: str, group: str, after: float = 0.5, split: str = "test"
) -> Measured:
    """Largest ``|mean_a - mean_b| / s`` over numbers of epochs above ``after`` times the largest; ``s`` is the larger
    of the two standard deviations over seeds (0 over 0 counts as 0).
    """
    if experiment.frame is None:
        raise Missing(f"experiment {experiment.name} was not run")
    if absent := sorted({optimizer, other} - set(experiment.frame["optimizer"])):
        raise Missing(f"no runs of {absent[0]} on {experiment.name}")
    first, second = (_curves(experiment, name, group, split) for name in (optimizer, other))
    late = first.index > after * first.index.max()
    gap = (first.mean(axis=1) - second.mean(axis=1)).abs()[late].to_numpy(dtype=float)
    spread = np.maximum(first.std(axis=1, ddof=1), second.std(axis=1, ddof=1))[late].to_numpy(dtype=float)
    ratio = np.where(gap == 0, 0.0, np.divide(gap, spread, out=np.full_like(gap, math.inf), where=spread > 0))
    worst = int(np.argmax(ratio))
    value = float(ratio[worst]) if math.isfinite(ratio[worst]) else 1e6
    note = (
        f"at e = {first.index[late][worst]:g}: {100 * gap[worst]:.1f} points, {100 * spread[worst]:.1f} between seeds"
    )
    return Measured(value, note=note, count=first.shape[1])
