"""The closed list of comparators: what it means that an interval clears, or misses, a threshold."""

from collections.abc import Callable
from dataclasses import dataclass

HOLDS, FAILS, ABSENT, INCONCLUSIVE, NOT_RUN = "holds", "fails", "absent", "inconclusive", "not-run"


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

    def clears(self, low: float, high: float, threshold: float) -> bool:
        """Whether all of ``[low, high]`` satisfies it."""
        return self.satisfied(low if self.upward else high, threshold)

    def misses(self, low: float, high: float, threshold: float) -> bool:
        """Whether all of ``[low, high]`` lies strictly on the other side; a tie is no miss."""
        return high < threshold if self.upward else low > threshold


COMPARATORS = {
    ">": Comparator(">", True, lambda value, threshold: value > threshold),
    ">=": Comparator(">=", True, lambda value, threshold: value >= threshold),
    "<": Comparator("<", False, lambda value, threshold: value < threshold),
    "<=": Comparator("<=", False, lambda value, threshold: value <= threshold),
}
