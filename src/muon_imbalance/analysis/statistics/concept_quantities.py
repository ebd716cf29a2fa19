"""Statistics of directions that are learned at different times: modes and distinctions of a table (Fig. 27).

Part of the closed list of :mod:`.quantities`. A run's directions are the groups of a metric
whose name ends in their rank: ``mode_1, mode_2, mode_3a, mode_3b``. Values are learned shares, 0 at the start and 1 at
the end.
"""

import math
import re
from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics import components, reductions
from muon_imbalance.analysis.statistics.evidence import Curve, Run
from muon_imbalance.analysis.statistics.registry import Measured, register
from muon_imbalance.common.errors import UserError

CLOCK = Curve("excess_loss", "train")
"""Training loss above its minimum."""


def _shares(run: Run, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``steps [T], values [T, m], ranks [m]`` of all directions of a metric."""
    found = {}
    for curve in run.rows:
        if curve.metric == metric and (match := re.search(r"_(\d+)[a-z]?$", curve.group)):
            found[curve] = int(match.group(1))
    if len(set(found.values())) < 2:
        raise UserError(f"{run.optimizer} on {run.experiment.name}: {metric} has no directions of several ranks")
    curves = sorted(found)
    values = np.stack([run.curve(curve)[1] for curve in curves], axis=1)
    return run.curve(curves[0])[0], values, np.array([found[curve] for curve in curves])


def _lead(values: np.ndarray, ranks: np.ndarray, of: str) -> float:
    """Smallest ``min(rank r) - max(rank r')`` over neighbouring ranks ``r < r'``, or for the first and last."""
    order = sorted(set(ranks))
    pairs = list(zip(order[:-1], order[1:], strict=True)) if of == "neighbours" else [(order[0], order[-1])]
    return float(min(values[ranks == first].min() - values[ranks == later].max() for first, later in pairs))


def _half_time(run: Run) -> float:
    """Time at which the excess loss has fallen to a half of its first value."""
    steps, clock = run.curve(CLOCK)
    return reductions.value_at_level(steps.astype(float), clock, clock[0] / 2)


def _at_loss(run: Run, metric: str, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares ``[m]`` when the excess loss has fallen to ``share`` of its first value, and their ranks."""
    _, values, ranks = _shares(run, metric)
    clock = run.curve(CLOCK)[1]
    return np.array([reductions.value_at_level(column, clock, share * clock[0]) for column in values.T]), ranks


@register("run")
def rank_delay(
    run: Run,
    *,
    metric: str,
    share: float,
    between: Literal["neighbours", "ends"] = "neighbours",
    unit: Literal["steps", "half_loss"] = "steps",
) -> Measured:
    """Delay from the last direction of a rank to reach ``share`` to the first one of the next rank, the smallest.

    ``between`` ends: from the first to the last rank. ``unit`` half_loss: in times to half of the excess loss.
    """
    steps, values, ranks = _shares(run, metric)
    times = components.reach_times(steps, values, np.full(len(ranks), share))
    unit_time = 1.0 if unit == "steps" else _half_time(run)
    if not np.isfinite(times).all() or not math.isfinite(unit_time):
        return Measured(math.nan, note=f"a direction never reached {share:g}")
    return Measured(_lead(-times, ranks, between) / unit_time)


@register("run")
def time_ratio(run: Run, *, metric: str, share: float) -> Measured:
    """Latest over earliest time at which a direction reaches ``share``; with one that never does a lower bound."""
    steps, values, ranks = _shares(run, metric)
    times = components.reach_times(steps, values, np.full(len(ranks), share))
    if not np.isfinite(times).any() or np.nanmin(times) <= 0:
        return Measured(math.nan, note=f"no direction reached {share:g} after step 0")
    never = not np.isfinite(times).all()
    latest = steps[-1] if never else times.max()
    return Measured(float(latest / np.nanmin(times)), censored=never)


@register("run")
def lead_at_loss(
    run: Run, *, metric: str, share: float, between: Literal["neighbours", "ends"] = "neighbours"
) -> Measured:
    """By how much the least learned direction of a rank is ahead of the most learned of the next, the smallest.

    Read when the excess loss has fallen to ``share`` of its first value.
    """
    values, ranks = _at_loss(run, metric, share)
    if not np.isfinite(values).all():
        return Measured(math.nan, note=f"the excess loss never fell to {share:g} of its first value")
    return Measured(_lead(values, ranks, between))


@register("run")
def evenness_at_loss(run: Run, *, metric: str, share: float) -> Measured:
    """Least over most learned direction when the excess loss has fallen to ``share`` of its first value."""
    values, _ = _at_loss(run, metric, share)
    if not np.isfinite(values).all():
        return Measured(math.nan, note=f"the excess loss never fell to {share:g} of its first value")
    return Measured(float(values.min() / values.max()))


@register("run")
def least_learned(run: Run, *, metric: str) -> Measured:
    """Smallest share of a direction at the last record."""
    return Measured(float(_shares(run, metric)[1][-1].min()))
