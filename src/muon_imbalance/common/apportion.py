"""A whole number split in given proportions."""

from collections.abc import Sequence

import numpy as np


def by_largest_remainder(total: int, shares: Sequence[float] | np.ndarray) -> np.ndarray:
    """Whole numbers ``[k]`` that sum to ``total``, as near to the ``shares`` (of any sum) as rounding allows."""
    exact = total * np.asarray(shares, dtype=float) / np.sum(shares)
    counts = np.floor(exact + 1e-9).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts
