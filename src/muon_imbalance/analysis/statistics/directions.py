"""Directions that are learned at different times: components of a linear model, modes and distinctions of a table.

A run's directions are the groups of a metric whose name ends in their rank: ``class_0, class_1`` (components
``alpha_c`` of ``U^T W V``, whose targets are ``r_c``), ``mode_1, mode_3a, mode_3b`` (learned shares, 0 at the start
and 1 at the end).
"""

import re
from typing import Literal, NamedTuple

import numpy as np

from muon_imbalance.analysis.statistics import components, reductions
from muon_imbalance.analysis.statistics.curves import difference
from muon_imbalance.analysis.statistics.evidence import Recorded, Run
from muon_imbalance.analysis.statistics.protocol import Measured, NoValue, Number, statistic
from muon_imbalance.analysis.statistics.windows import ALL, WindowOption
from muon_imbalance.common.errors import UserError

CLOCK = Recorded("excess_loss", "train")
"""Training loss above its minimum."""
Between = Literal["neighbours", "ends"]
Unit = Literal["one", "lr"]


class Directions(NamedTuple):
    """``steps [T], values [T, m]`` of the directions of a metric, their ``ranks [m]`` and ``targets [m]``."""

    steps: np.ndarray
    values: np.ndarray
    ranks: np.ndarray
    targets: np.ndarray
    called: str

    @classmethod
    def of(cls, run: Run, metric: str) -> "Directions":
        """Those of a run.

        Raises:
            UserError: the metric has no directions of several ranks.
        """
        found = {}
        for curve in run.rows:
            if curve.metric == metric and (match := re.search(r"_(\d+)[a-z]?$", curve.group)):
                found[curve] = int(match.group(1))
        if len(set(found.values())) < 2:
            raise UserError(f"{run.optimizer} on {run.experiment.name}: {metric} has no directions of several ranks")
        curves = sorted(found)
        values = np.stack([run.curve(curve)[1] for curve in curves], axis=1)
        ranks = np.array([found[curve] for curve in curves])
        classes = curves[0].group.startswith("class_")
        targets = run.moments.r[ranks] if classes else np.ones(len(ranks))
        return cls(run.curve(curves[0])[0], values, ranks, targets, "component" if classes else "direction")

    def times(self, share: float) -> np.ndarray:
        """Times at which each gets to ``share`` of its target, interpolated between records, ``[m]``; else NaN."""
        return components.reach_times(self.steps, self.values, share * self.targets)

    def never(self, share: float) -> NoValue:
        """That one did not get to ``share`` of its target."""
        return NoValue(f"a {self.called} never reached {share:g}{' of its target' * (self.called == 'component')}")

    def at_loss(self, run: Run, left: float) -> np.ndarray:
        """Values ``[m]`` when the excess loss has fallen to ``left`` of its first value.

        Raises:
            NoValue: it never does.
        """
        clock = run.curve(CLOCK)[1]
        found = np.array([reductions.value_at_level(column, clock, left * clock[0]) for column in self.values.T])
        if not np.isfinite(found).all():
            raise NoValue(f"the excess loss never fell to {left:g} of its first value")
        return found

    def at_step(self, run: Run, step: float) -> np.ndarray:
        """Values ``[m]`` at a recorded step."""
        if step not in self.steps:
            raise UserError(f"{run.optimizer} has no record at step {step:g}")
        return self.values[int(np.argmax(self.steps == step))]

    def lead(self, values: np.ndarray, between: Between) -> float:
        """Smallest ``min(rank r) - max(rank r')`` of ``values [..., m]`` over neighbouring ranks, or first and last."""
        order = sorted(set(self.ranks))
        pairs = list(zip(order[:-1], order[1:], strict=True)) if between == "neighbours" else [(order[0], order[-1])]
        low, high = ({r: pick(values[..., self.ranks == r], axis=-1) for r in order} for pick in (np.min, np.max))
        return float(min(np.min(low[first] - high[later]) for first, later in pairs))


@statistic("run")
def lead(
    run: Run, *, metric: str = "alpha", loss_left: Number | None = None, between: Between = "neighbours"
) -> Measured:
    """By how much the least learned direction of a rank is ahead of the most learned of the next, the smallest.

    Read when the excess loss has fallen to ``loss_left`` of its first value, or else at every record after step 0.
    """
    found = Directions.of(run, metric)
    values = found.values[found.steps > 0] if loss_left is None else found.at_loss(run, loss_left)
    return Measured(found.lead(values, between))


@statistic("run")
def delay(
    run: Run,
    *,
    share: Number,
    metric: str = "alpha",
    between: Between = "neighbours",
    unit: Literal["steps", "half_loss"] = "steps",
    times: Literal["interpolated", "recorded"] = "interpolated",
) -> Measured:
    """Delay from the last direction of a rank to reach ``share`` to the first one of the next rank, the smallest.

    ``between`` ends: from the first to the last rank. ``unit`` half_loss: in times to half of the excess loss.
    ``times`` recorded: those of records, without interpolation.
    """
    found = Directions.of(run, metric)
    when = found.times(share)
    if times == "recorded":
        when = np.where(np.isnan(when), np.nan, found.steps[np.argmax(found.values >= share * found.targets, axis=0)])
    unit_time = 1.0
    if unit == "half_loss":
        clock = run.curve(CLOCK)[1]
        unit_time = reductions.value_at_level(found.steps.astype(float), clock, clock[0] / 2)
    if not np.isfinite([*when, unit_time]).all():
        raise found.never(share)
    return Measured(found.lead(-when, between) / unit_time)


@statistic("run", "ratio")
def time_ratio(
    run: Run, *, share: Number, metric: str = "alpha", scale: Literal["one", "s_xx", "s_yx"] = "one"
) -> Measured:
    """Latest over earliest time at which a direction reaches ``share``; with one that never does a lower bound.

    ``scale``: times a moment of the component's class.
    """
    found = Directions.of(run, metric)
    times = found.times(share)
    if scale != "one":
        times = times * getattr(run.moments, scale)[found.ranks]
        if not np.isfinite(times).all():
            raise found.never(share)
    if not np.isfinite(times).any() or np.nanmin(times) <= 0:
        raise NoValue(f"no {found.called} reached {share:g} after step 0")
    never = not np.isfinite(times).all()
    latest = found.steps[-1] if never else times.max()
    return Measured(float(latest / np.nanmin(times)), censored=never)


@statistic("run", "ratio")
def direction_ratio(
    run: Run,
    *,
    of: Literal["largest_over_smallest", "smallest_over_largest"],
    metric: str = "alpha",
    step: Number | None = None,
    loss_left: Number | None = None,
) -> Measured:
    """Most over least learned direction (or the reverse): 1 if all were learned at the same rate.

    At a ``step``, or when the excess loss has fallen to ``loss_left`` of its first value.
    """
    if (step is None) == (loss_left is None):
        raise UserError("statistic direction_ratio takes one of step, loss_left")
    found = Directions.of(run, metric)
    values = found.at_loss(run, loss_left) if step is None else found.at_step(run, step)
    low, high = values.min(), values.max()
    return Measured(float(high / low if of == "largest_over_smallest" else low / high))


@statistic("run")
def head_start(run: Run, *, component: int, step: Number) -> Measured:
    """By what share a component (counted from 0) is ahead of the largest of the others at a step."""
    found = Directions.of(run, "alpha")
    height, one = found.at_step(run, step), found.ranks == component
    return Measured(float(height[one][0] / height[~one].max() - 1))


@statistic("run")
def least_learned(run: Run, *, metric: str) -> Measured:
    """Smallest share of a direction at the last record."""
    return Measured(float(Directions.of(run, metric).values[-1].min()))


@statistic("run")
def distance_to_target(
    run: Run, *, of: Literal["overshoot", "distance"], window: WindowOption = ALL, unit: Unit = "one"
) -> Measured:
    """Largest ``alpha_c - r_c`` (overshoot) or ``|alpha_c - r_c|`` (distance) in a window, in units of 1 or of lr."""
    steps, alpha = run.components("alpha")
    away = (alpha - run.moments.r)[window.shows(run, steps)]
    return Measured(float(np.max(away if of == "overshoot" else np.abs(away))) / (run.lr if unit == "lr" else 1))


@statistic("pair")
def component_distance(
    a: Run, b: Run, *, metric: str = "alpha", window: WindowOption = ALL, unit: Unit = "one"
) -> Measured:
    """Largest difference of a component between two runs in a window, in units of 1 or of the step size of ``a``."""
    steps, away = difference(a.components(metric), b.components(metric), f"{a.optimizer} and {b.optimizer}")
    return Measured(float(np.max(np.abs(away)[window.shows(a, steps)])) / (a.lr if unit == "lr" else 1))
