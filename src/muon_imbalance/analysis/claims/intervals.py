"""Intervals from repetitions. A sample is ``values [n]``, one per repetition, or ``[n, T]`` where every step counts.

All are Student's t, at every n: a percentile bootstrap covers 91 % at n = 10 and 94 % at n = 20.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import nctdtr, stdtrit

ALPHA = 0.05
"""Probability that an interval misses, all looks at growing data together."""
POCOCK = {1: 0.05, 2: 0.0294, 3: 0.0221, 4: 0.0182, 5: 0.0158}
"""Number of planned looks -> what each may miss, for ``ALPHA`` in all (Pocock 1977, Biometrika 64, table 1)."""
POWER, MOST = 0.8, 1000
FAR = 1e4  # noncentrality from which the power is 1 at every n; nctdtr has no value for much larger ones
Array = np.ndarray
Ends = tuple[float, float]


def _ends(sample: Array, lower: float, upper: float) -> tuple[Array, Array]:
    """Quantiles ``lower`` and ``upper`` of the mean's distribution, along axis 0 of ``[n, ...]``."""
    n = len(sample)
    centre, error = sample.mean(0), sample.std(0, ddof=1) / np.sqrt(n)
    return centre + stdtrit(n - 1, lower) * error, centre + stdtrit(n - 1, upper) * error


def interval(differences: Array, alpha: float = ALPHA) -> Ends | None:
    """Two-sided interval for the mean of ``differences [n]`` (paired by seed), missing it with probability ``alpha``.

    None for n = 1.
    """
    sample = np.asarray(differences, dtype=float)
    if len(sample) < 2:
        return None
    low, high = _ends(sample, alpha / 2, 1 - alpha / 2)
    return float(low), float(high)


def everywhere_interval(differences: Array, alpha: float = ALPHA) -> Ends | None:
    """Interval for the smallest of the T mean differences, ``differences [n, T]``: "above at every step".

    The lower end is the smallest of the T lower ends (that all T clear a threshold needs no correction); the
    upper end is the smallest of the T upper ends at level ``1 - alpha / T`` (so that one unlucky step
    among many is no proof of the contrary). It contains the smallest true mean with probability at least
    ``1 - alpha``.
    """
    sample = np.asarray(differences, dtype=float)
    if len(sample) < 2:
        return None
    low, high = _ends(sample, alpha / 2, 1 - alpha / 2 / sample.shape[1])
    return float(np.min(low)), float(np.min(high))


def look(n: int, looks: Sequence[int]) -> tuple[int, float]:
    """How many of ``n`` repetitions are looked at, and the ``alpha`` of that look.

    Looks are planned before the first one (numbers of repetitions, ascending; none: one look at what there is). The
    repetitions beyond the last planned look that was reached do not count: an interval that is looked at whenever
    another seed has come covers less than it says. Before the first planned look, all count at its ``alpha``.
    """
    if not looks:
        return n, ALPHA
    alpha = POCOCK[len(looks)]
    return max((planned for planned in looks if planned <= n), default=n), alpha


def seeds_needed(
    effect: float, sd: float, within: float | None = None, alpha: float = ALPHA, comparisons: int = 1
) -> int | None:
    """Smallest n at which a paired t interval would decide with 80 % power, were this mean and deviation the truth.

    Args:
        effect: distance of the mean from the threshold, positive where the claim would hold.
        sd: standard deviation of one difference.
        within: the smallest effect of interest; the interval may also decide by lying within it.
        comparisons: number of the claim's comparisons; all decisions but ``holds`` are at ``alpha`` over it.

    Returns:
        None where no n up to 1,000 would.
    """
    corrected = alpha / comparisons
    wanted = [(abs(effect), POWER, alpha if effect > 0 else corrected)]
    if within is not None and abs(effect) < within:
        wanted.append((within - abs(effect), (1 + POWER) / 2, corrected))  # both ends must lie inside
    if sd == 0:
        return 2 if any(size > 0 for size, *_ in wanted) else None
    n = np.arange(2, MOST + 1)
    found = []
    for size, power, level in wanted:
        critical = stdtrit(n - 1, 1 - level / 2)
        missed = nctdtr(n - 1, np.minimum(np.sqrt(n) * size / sd, FAR), critical)
        enough = 1 - missed >= power
        if enough.any():
            found.append(int(n[np.argmax(enough)]))
    return min(found, default=None)
