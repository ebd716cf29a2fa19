"""Statistics of language models' curves, part of the closed list of :mod:`.quantities`."""

import math

import numpy as np

from muon_imbalance.analysis.statistics.evidence import Curve, Run
from muon_imbalance.analysis.statistics.reductions import first_through, mean_until
from muon_imbalance.analysis.statistics.registry import Measured, register
from muon_imbalance.common.errors import UserError


def _both(run: Run, curve: Curve, other: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps, and two curves of one run, which are recorded together."""
    (steps, first), (there, second) = run.curve(curve), run.curve(other)
    if not np.array_equal(steps, there):
        raise UserError(f"{other} is not recorded at the steps of {curve}")
    return steps, first, second


@register("run")
def mean_of_curve(run: Run, *, curve: Curve, until: float = 1.0) -> Measured:
    """Mean of a curve over ``0 < t <= until * horizon``."""
    return Measured(mean_until(*run.curve(curve), until))


@register("run")
def final_difference(run: Run, *, curve: Curve, other: Curve) -> Measured:
    """Last value of a curve minus that of another one of the same run."""
    _, first, second = _both(run, curve, other)
    return Measured(float(first[-1] - second[-1]))


@register("pair")
def catch_up(a: Run, b: Run, *, curve: Curve) -> Measured:
    """When a falling curve of ``a`` gets down to the last value of ``b``'s, as a share of the horizon; 1 if never."""
    (steps, first), (_, second) = a.curve(curve), b.curve(curve)
    step = first_through(steps, first, float(second[-1]))
    return Measured(1.0 if math.isnan(step) else step / float(steps[-1]))


@register("pair")
def difference_at_equal(a: Run, b: Run, *, curve: Curve, clock: Curve, share: float = 1.0) -> Measured:
    """``a - b`` of a curve where a clock stands at the same level in both runs, interpolated between records.

    The level is the furthest that both get to, or ``share`` of the way there from the first value (the mean of both
    runs' first values). A clock may rise (accuracy) or fall (loss); it is read where it first reaches the level.
    """
    values = []
    rows = [_both(run, curve, clock)[1:] for run in (a, b)]
    start = float(np.mean([times[0] for _, times in rows]))
    sign = 1.0 if rows[0][1][-1] > rows[0][1][0] else -1.0
    furthest = min(sign * times.max() if sign > 0 else sign * times.min() for _, times in rows) * sign
    level = start + share * (furthest - start)
    for run, (height, times) in zip((a, b), rows, strict=True):
        value = first_through(height, -sign * times, -sign * level)
        if math.isnan(value):
            return Measured(
                math.nan, note=f"{clock} of {run.optimizer} does not pass {level:.3g} after its first value"
            )
        values.append(value)
    return Measured(values[0] - values[1], note=f"at {clock} = {level:.3g}")


@register("run")
def standout_drop(run: Run, *, curve: Curve, after: float = 0.0, until: float = 1.0) -> Measured:
    """Largest fall of a curve from one record to the next within ``after * horizon < t <= until * horizon``, over the
    median one there: 1 for a straight line, large where the curve drops suddenly.
    """
    steps, values = run.curve(curve)
    falls = -np.diff(values)
    inside = (steps[1:] > after * steps[-1] * (1 + 1e-9)) & (steps[1:] <= until * steps[-1] * (1 + 1e-9))
    if inside.sum() < 3:
        return Measured(math.nan, note="fewer than three records there")
    median = float(np.median(falls[inside]))
    note = "" if median > 0 else f"{curve} does not fall there"
    return Measured(float(falls[inside].max()) / median if median > 0 else math.nan, note=note)


@register("run")
def progress_gap(run: Run, *, curve: Curve, other: Curve) -> Measured:
    """Mean over training of ``|c(t) / c(T) - o(t) / o(T)|``: how far two skills are from being learned together.

    No value if one of them is still 0 at the end.
    """
    steps, first, second = _both(run, curve, other)
    if not (first[-1] > 0 and second[-1] > 0):
        return Measured(math.nan, note=f"{curve if first[-1] <= 0 else other} is 0 at the end")
    return Measured(mean_until(steps, np.abs(first / first[-1] - second / second[-1]), 1.0))
