"""Curves read by a second clock (a loss, an accuracy) in place of the step, so that being earlier is not rewarded."""

import math
from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.statistics.curves import CurveOption, Relative, together
from muon_imbalance.analysis.statistics.evidence import Run
from muon_imbalance.analysis.statistics.protocol import Measured, NoValue, Number, statistic


@statistic("run")
def value_when(
    run: Run, *, of: CurveOption, clock: CurveOption, level: Number, clock_is: Literal["falling", "rising"] = "falling"
) -> Measured:
    """A curve's value when the clock first falls through a level after its peak, or first rises to it."""
    _, values, times = together(run, of, clock)
    sign = 1.0 if clock_is == "falling" else -1.0
    value = reductions.value_at_level(values, sign * times, sign * level)
    if math.isfinite(value):
        return Measured(value)
    if isinstance(clock, Relative):
        raise NoValue(f"{clock} never fell to {level:g} of its {clock.to} value")
    raise NoValue(f"{clock} never {'fell through' if clock_is == 'falling' else 'rose to'} {level:g}")


@statistic("pair")
def difference_at_equal_progress(
    a: Run, b: Run, *, of: CurveOption, clock: CurveOption, share: Number = 1.0
) -> Measured:
    """``a - b`` of a curve where a clock stands at the same level in both runs, interpolated between records.

    The level is the furthest that both get to, or ``share`` of the way there from the first value (the mean of both
    runs' first values). A clock may rise (accuracy) or fall (loss); it is read where it first reaches the level.
    """
    values = []
    rows = [together(run, of, clock)[1:] for run in (a, b)]
    start = float(np.mean([times[0] for _, times in rows]))
    sign = 1.0 if rows[0][1][-1] > rows[0][1][0] else -1.0
    furthest = min(sign * times.max() if sign > 0 else sign * times.min() for _, times in rows) * sign
    level = start + share * (furthest - start)
    for run, (height, times) in zip((a, b), rows, strict=True):
        value = reductions.first_through(height, -sign * times, -sign * level)
        if math.isnan(value):
            raise NoValue(f"{clock} of {run.optimizer} does not pass {level:.3g} after its first value")
        values.append(value)
    return Measured(values[0] - values[1])
