"""Numbers from curves, and intervals from repetitions. Pure functions on arrays; nothing here knows a claim.

A curve is a pair ``steps [T]`` (increasing integers), ``values [T]``. A sample is ``values [n]``, one per
repetition, or ``[n, T]`` where every recorded step counts.
"""

import numpy as np
from scipy.special import stdtrit

BOOTSTRAP_FROM = 10  # below: Student's t (a percentile bootstrap of 3 values covers about 72 %)
BOOTSTRAP_DRAWS = 10_000
ROUNDING = 1e-6  # values are compared with a level up to single-precision rounding
Array = np.ndarray


def mean(values: Array) -> float:
    """Arithmetic mean of a sample."""
    return float(np.mean(values))


def sd(values: Array) -> float:
    """Standard deviation of a sample with n - 1 in the denominator; NaN for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _t_interval(sample: Array, lower: float, upper: float) -> tuple[Array, Array]:
    n = len(sample)
    centre, error = sample.mean(0), sample.std(0, ddof=1) / np.sqrt(n)
    return centre + stdtrit(n - 1, lower) * error, centre + stdtrit(n - 1, upper) * error


def _bootstrap_interval(sample: Array, lower: float, upper: float) -> tuple[Array, Array]:
    draws = np.random.default_rng(0).integers(len(sample), size=(BOOTSTRAP_DRAWS, len(sample)))
    columns = sample.reshape(len(sample), -1).T
    ends = np.array([np.quantile(column[draws].mean(1), [lower, upper]) for column in columns])
    return ends[:, 0].reshape(sample.shape[1:]), ends[:, 1].reshape(sample.shape[1:])


def _ends(sample: Array, lower: float, upper: float) -> tuple[Array, Array]:
    """Quantiles ``lower`` and ``upper`` of the mean's distribution, along axis 0 of ``[n, ...]``."""
    return (_t_interval if len(sample) < BOOTSTRAP_FROM else _bootstrap_interval)(sample, lower, upper)


def interval(differences: Array, level: float = 0.95) -> tuple[float, float] | None:
    """Two-sided interval for the mean of ``differences [n]`` (paired by seed).

    Student's t below n = 10; percentile bootstrap (10,000 draws, fixed seed) from 10 on; none for n = 1.
    """
    sample = np.asarray(differences, dtype=float)
    if len(sample) < 2:
        return None
    low, high = _ends(sample, (1 - level) / 2, (1 + level) / 2)
    return float(low), float(high)


def everywhere_interval(differences: Array, level: float = 0.95) -> tuple[float, float] | None:
    """Interval for the smallest of the T mean differences, ``differences [n, T]``: "above at every step".

    The lower end is the smallest of the T lower ends (that all T clear a threshold needs no correction); the
    upper end is the smallest of the T upper ends at level ``1 - (1 - level)/T`` (so that one unlucky step
    among many is no proof of the contrary). It contains the smallest true mean with probability at least
    ``level``.
    """
    sample = np.asarray(differences, dtype=float)
    if len(sample) < 2:
        return None
    tail = (1 - level) / 2
    low, high = _ends(sample, tail, 1 - tail / sample.shape[1])
    return float(np.min(low)), float(np.min(high))


def window(steps: Array, stop: float) -> Array:
    """Which steps lie in ``0 < t <= stop`` (``stop`` up to rounding); at step 0 nothing is learned yet."""
    return (steps > 0) & (steps <= stop * (1 + 1e-9))


def _widths(steps: Array) -> Array:
    """Steps for which each recorded value stands: those since the record before it (0 for the first)."""
    return np.diff(steps, prepend=steps[0]).astype(float)


def gated_area(steps: Array, values: Array, gate: Array, level: float, until: float = 1.0) -> float:
    """Area under ``values`` where ``gate >= level`` in ``0 < t <= until * horizon``, divided by that length.

    The gate is the majority's accuracy and the level absolute: a model that predicts one class for
    everything is right on half of the minority, and it would pass a gate relative to its own best.
    """
    inside = window(steps, until * steps[-1])
    if not inside.any():
        return float("nan")
    counted = np.where(gate >= level - ROUNDING, values, 0.0)
    return float(np.average(counted[inside], weights=_widths(steps)[inside]))


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
    """``values`` when ``clock`` first falls through ``level`` after its peak, interpolated between records.

    NaN if the clock's peak is below the level or the clock never falls to it.
    """
    peak = int(np.argmax(clock))
    fallen = clock[peak:] <= level
    if fallen[0] or not fallen.any():
        return float("nan")
    after = peak + int(np.argmax(fallen))
    share = (clock[after - 1] - level) / (clock[after - 1] - clock[after])
    return float(values[after - 1] + share * (values[after] - values[after - 1]))
