"""The closed list of comparators: what it means that an interval clears, or misses, a threshold."""

from collections.abc import Callable
from dataclasses import dataclass

HOLDS, FAILS, INCONCLUSIVE, NOT_RUN = "holds", "fails", "inconclusive", "not-run"


@dataclass(frozen=True)
class Comparator:
    """``value <symbol> threshold``.

    Attributes:
        symbol: its name in claim files.
        upward: True if large values satisfy it (then "at every step" looks at the smallest one).
        satisfied: whether one value satisfies it.
    """

    symbol: str
    upward: bool
    satisfied: Callable[[float, float], bool]

    def verdict(self, low: float, high: float, threshold: float) -> str:
        """``holds`` if all of ``[low, high]`` satisfies it, ``fails`` if none does, else ``inconclusive``."""
        near, far = (low, high) if self.upward else (high, low)
        if self.satisfied(near, threshold):
            return HOLDS
        return INCONCLUSIVE if self.satisfied(far, threshold) else FAILS


COMPARATORS = {
    ">": Comparator(">", True, lambda value, threshold: value > threshold),
    ">=": Comparator(">=", True, lambda value, threshold: value >= threshold),
    "<": Comparator("<", False, lambda value, threshold: value < threshold),
    "<=": Comparator("<=", False, lambda value, threshold: value <= threshold),
}
