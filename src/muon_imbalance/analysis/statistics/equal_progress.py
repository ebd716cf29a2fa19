"""Curves read by a second clock (a loss, an accuracy) in place of the step, so that being earlier is not rewarded.

A clock is read after its worst record: a minority's loss rises before it falls, its accuracy falls before it rises.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import numpy as np

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.statistics.curves import Curve, CurveOption, Relative, together
from muon_imbalance.analysis.statistics.evidence import Experiment, Run, Unusable
from muon_imbalance.analysis.statistics.protocol import Measured, NoValue, Number, statistic

FURTHEST = "furthest"


class Shared(float):
    """A level that was chosen from the runs themselves; one whose worst record is beyond it is read at that record."""


def _sign(clock: Curve) -> float:
    """1 for clocks that fall (losses), -1 for those that rise (accuracies, shares of one): times this they fall."""
    while isinstance(clock, Relative):
        clock = clock.curve
    return -1.0 if clock.unit == "accuracy" else 1.0


@statistic("run")
def value_when(run: Run, *, of: CurveOption, clock: CurveOption, level: Number | Literal["furthest"]) -> Measured:
    """A curve's value when a clock (falling loss, rising accuracy) first gets to a level after its worst record.

    Level ``furthest``: the furthest that all compared runs get to, all seeds of all optimizers that the check names.
    """
    if level == FURTHEST:
        raise ValueError("the furthest level is that of several runs: see resolved()")
    _, values, times = together(run, of, clock)
    sign = _sign(clock)
    value = reductions.value_at_level(values, sign * times, sign * level)
    if np.isnan(value) and isinstance(level, Shared):
        value = float(values[np.argmax(sign * times)])
    if np.isnan(value):
        of_what = f" of its {clock.to} value" if isinstance(clock, Relative) else ""
        raise NoValue(f"{clock} never {'fell' if sign > 0 else 'rose'} to {level:g}{of_what}")
    return Measured(value)


def furthest(runs: Sequence[Run], of: Curve, clock: Curve) -> float:
    """The furthest level of a clock that all runs get to after their worst records; NaN if none is usable.

    A run that has no usable curves does not count: it is left out of the comparison as well.
    """
    sign = _sign(clock)
    reached = []
    for run in runs:
        with suppress(Unusable, NoValue):
            times = sign * together(run, of, clock)[2]
            reached.append(times[np.argmax(times) :].min())
    return sign * max(reached, default=np.nan)


def resolved(options: Mapping[str, Any], experiment: Experiment, names: Sequence[str]) -> tuple[Mapping[str, Any], str]:
    """Options with the level ``furthest`` replaced by its value for these optimizers' runs, and a remark that says it.

    Raises:
        Missing: one of them was not run.
    """
    if options.get("level") != FURTHEST:
        return options, ""
    runs = [run for name in names for run in experiment.runs(name).values()]
    level = Shared(furthest(runs, options["of"], options["clock"]))
    if np.isnan(level):
        return {**options, "level": level}, ""
    return {**options, "level": level}, f"{options['clock']} at {level:.3g}, the furthest that all compared runs get to"
