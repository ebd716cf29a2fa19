"""Intervals from repetitions. A sample is ``values [n]``, one per repetition, or ``[n, T]`` where every step counts."""

import numpy as np
from scipy.special import stdtrit

BOOTSTRAP_FROM = 10  # below: Student's t (a percentile bootstrap of 3 values covers about 72 %)
BOOTSTRAP_DRAWS = 10_000
Array = np.ndarray


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
