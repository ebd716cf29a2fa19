"""Values of a curve: the last, the largest, and every one."""

import numpy as np

from muon_imbalance.analysis.statistics.curves import CurveOption
from muon_imbalance.analysis.statistics.evidence import Run, Series
from muon_imbalance.analysis.statistics.protocol import Measured, NoValue, statistic
from muon_imbalance.analysis.statistics.windows import AFTER_START, ALL, WindowOption


@statistic("run")
def last(run: Run, *, of: CurveOption) -> Measured:
    """Last value of a curve."""
    return Measured(float(of.of(run)[1][-1]))


@statistic("run")
def largest(run: Run, *, of: CurveOption, window: WindowOption = ALL) -> Measured:
    """Largest value of a curve in a window."""
    steps, values = of.of(run)
    return Measured(float(np.max(values[window.shows(run, steps)])))


@statistic("run", "steps")
def step_of_largest(run: Run, *, of: CurveOption) -> Measured:
    """First recorded step at which a curve has its largest value."""
    steps, values = of.of(run)
    return Measured(float(steps[np.argmax(values)]))


@statistic("run")
def every_value(run: Run, *, of: CurveOption, window: WindowOption = AFTER_START) -> Series:
    """A curve's value at every record of a window: the comparison has to hold at the worst of them."""
    steps, values = of.of(run)
    inside = window.shows(run, steps)
    return steps[inside], values[inside]


@statistic("run", "ratio")
def largest_drop(run: Run, *, of: CurveOption, window: WindowOption = AFTER_START) -> Measured:
    """Largest fall of a curve from one record to the next in a window, over the median one there: 1 for a straight
    line, large where the curve drops suddenly.
    """
    steps, values = of.of(run)
    falls = -np.diff(values)[window.shows(run, steps)[1:]]
    if len(falls) < 3:
        raise NoValue("fewer than three records there")
    if not (median := float(np.median(falls))) > 0:
        raise NoValue(f"{of} does not fall there")
    return Measured(float(falls.max()) / median)
