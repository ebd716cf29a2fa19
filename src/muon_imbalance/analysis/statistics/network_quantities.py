"""Statistics of networks trained by epoch, part of the closed list of :mod:`.quantities`.

Early is the first half of training, late the second; step 0 counts for neither.
"""

import math

import numpy as np

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.statistics.evidence import Curve, Run, Series
from muon_imbalance.analysis.statistics.registry import Measured, register
from muon_imbalance.common.errors import UserError


def _difference(first: Series, second: Series, names: str) -> Series:
    if not np.array_equal(first[0], second[0]):
        raise UserError(f"{names} are not recorded at the same steps")
    return first[0], first[1] - second[1]


@register("pair")
def gap_until(a: Run, b: Run, *, curve: Curve, until: float = 1.0) -> Series:
    """``a - b`` at every record with ``0 < t <= until * horizon``."""
    steps, values = _difference(a.curve(curve), b.curve(curve), str(curve))
    inside = reductions.window(steps, until * steps[-1])
    return steps[inside], values[inside]


@register("run")
def mean_group_gap(run: Run, *, curve: Curve, other: Curve, until: float = 1.0) -> Measured:
    """Mean of ``curve - other`` over ``0 < t <= until * horizon``."""
    return Measured(
        reductions.mean_until(*_difference(run.curve(curve), run.curve(other), f"{curve} and {other}"), until)
    )


@register("pair")
def early_excess(a: Run, b: Run, *, curve: Curve) -> Measured:
    """``a - b``, its mean over the first half of training minus that over the second."""
    series = _difference(a.curve(curve), b.curve(curve), str(curve))
    return Measured(reductions.mean_until(*series, 0.5) - reductions.mean_until(*series, 1.0, after=0.5))


@register("pair")
def early_group_gap_excess(a: Run, b: Run, *, curve: Curve, other: Curve) -> Measured:
    """``curve - other`` of ``a`` minus that of ``b``, its mean over the first half of training minus the second's."""
    names = f"{curve} and {other}"
    series = _difference(*(_difference(run.curve(curve), run.curve(other), names) for run in (a, b)), names)
    return Measured(reductions.mean_until(*series, 0.5) - reductions.mean_until(*series, 1.0, after=0.5))


@register("run")
def value_when_reached(run: Run, *, curve: Curve, clock: Curve, level: float) -> Measured:
    """A curve's value when the clock first rises to a level, interpolated between records."""
    steps, values = run.curve(curve)
    if not np.array_equal(steps, run.curve(clock)[0]):
        raise UserError(f"{clock} is not recorded at the steps of {curve}")
    value = reductions.value_at_level(values, -run.curve(clock)[1], -level)
    return Measured(value, note="" if math.isfinite(value) else f"{clock} never rose to {level:g}")
