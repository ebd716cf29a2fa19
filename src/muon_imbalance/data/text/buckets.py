"""Rare, middle and frequent pieces of a vocabulary, by their counts in the training text (Fig. 9).

The paper calls pieces below the 50th percentile of frequency rare and those above the 80th frequent. Percentiles are
taken over the pieces (``types``), or over the text (``mass``): then the rarest pieces that together make up half of the
text are rare, and the most frequent ones that make up a fifth of it are frequent.
"""

import numpy as np

from muon_imbalance.data.text.tokenizer import CONTROLS

NONE, RARE, MIDDLE, FREQUENT = -1, 0, 1, 2
NAMES = {"rare": RARE, "middle": MIDDLE, "frequent": FREQUENT}
"""Numbers of the buckets in ``bucket [V]``."""
LOW, HIGH = 0.5, 0.8


def cuts(count: np.ndarray, by: str) -> tuple[float, float]:
    """Counts at the 50th and 80th percentile of pieces, or of the text. Control pieces are left out.

    A percentile of the text is the smallest count ``c`` such that pieces that occur at most ``c`` times make up that
    share of it.
    """
    own = np.sort(count[CONTROLS:])
    if by == "types":
        low, high = np.quantile(own, [LOW, HIGH])
    else:
        low, high = own[np.searchsorted(np.cumsum(own), [LOW * own.sum(), HIGH * own.sum()])]
    return float(low), float(high)


def buckets(count: np.ndarray, by: str) -> np.ndarray:
    """Bucket of every piece ``[V]`` int8: rare below the lower cut, frequent above the upper one, controls in none."""
    low, high = cuts(count, by)
    found = np.full(len(count), MIDDLE, np.int8)
    found[count < low] = RARE
    found[count > high] = FREQUENT
    found[:CONTROLS] = NONE
    return found


def lower_half(count: np.ndarray) -> np.ndarray:
    """Which pieces are rare if percentiles are taken over the text: ``[V]``."""
    return buckets(count, "mass") == RARE
