"""Numbers from curves. Pure functions on arrays; nothing here knows a claim.

A curve is a pair ``steps [T]`` (increasing integers), ``values [T]``.
"""

import numpy as np

ROUNDING = 1e-6  # values are compared with a level up to single-precision rounding
MAJORITY_GATE = 0.9
"""Accuracy of the majority from which the minority's counts, absolute (a report card's gate is a share of the best)."""
Array = np.ndarray


def window(steps: Array, stop: float) -> Array:
    """Which steps lie in ``0 < t <= stop`` (``stop`` up to rounding); at step 0 nothing is learned yet."""
    return (steps > 0) & (steps <= stop * (1 + 1e-9))


def _widths(steps: Array) -> Array:
    """Steps for which each recorded value stands: those since the record before it (0 for the first)."""
    return np.diff(steps, prepend=steps[0]).astype(float)


def mean(steps: Array, values: Array, inside: Array, counted: Array | None = None) -> float:
    """Mean of a curve over the records ``inside [T]``, each standing for the steps since the one before; NaN for none.

    Values that are not ``counted [T]`` are 0.
    """
    if not inside.any():
        return float("nan")
    values = values if counted is None else np.where(counted, values, 0.0)
    return float(np.average(values[inside], weights=_widths(steps)[inside]))


def gated_area(steps: Array, values: Array, gate: Array, level: float, until: float = 1.0) -> float:
    """Area under ``values`` where ``gate >= level`` in ``0 < t <= until * horizon``, divided by that length.

    The gate is the majority's accuracy and the level absolute: a model that predicts one class for
    everything is right on half of the minority, and it would pass a gate relative to its own best.
    """
    return mean(steps, values, window(steps, until * steps[-1]), gate >= level - ROUNDING)


def first_reach(steps: Array, values: Array, level: float, open_: Array | None = None) -> tuple[int, bool]:
    """First step > 0 with ``values >= level`` (where ``open_`` is True), and whether it was censored.

    A curve that never reaches the level is censored: the answer is the horizon, a lower bound of the truth.
    """
    reached = (values >= level - ROUNDING) & (steps > 0)
    if open_ is not None:
        reached &= open_
    if not reached.any():
        return int(steps[-1]), True
    return int(steps[np.argmax(reached)]), False


def value_at_level(values: Array, clock: Array, level: float) -> float:
    """``values`` when ``clock`` first is at or below ``level`` at or after its peak, interpolated between records.

    NaN if the clock's peak is below the level or it never falls to it.
    """
    peak = int(np.argmax(clock))
    slack = ROUNDING * abs(level)
    reached = clock[peak:] <= level + slack
    if clock[peak] < level - slack or not reached.any():
        return float("nan")
    after = peak + int(np.argmax(reached))
    if after == peak:
        return float(values[peak])
    before, now = clock[after - 1], clock[after]
    share = 1.0 if before == now else min(1.0, float((before - level) / (before - now)))
    return float(values[after - 1] + share * (values[after] - values[after - 1]))


def first_through(values: Array, clock: Array, level: float) -> float:
    """``values`` when ``clock`` first is at or below ``level`` after its first record, interpolated between records.

    NaN if that never happens or if the clock begins there.
    """
    reached = clock <= level + ROUNDING * abs(level)
    if reached[0] or not reached.any():
        return float("nan")
    after = int(np.argmax(reached))
    before, now = clock[after - 1], clock[after]
    share = 1.0 if before == now else min(1.0, float((before - level) / (before - now)))
    return float(values[after - 1] + share * (values[after] - values[after - 1]))
