"""Learning-rate schedules: the factor of the learning rate at each step. Plain Python.

With ``T`` steps in all, step ``t = 0, 1, ...`` has the factor 1 (``constant``), ``1 - t/T`` (``linear``) or
``(1 + cos(pi t / T)) / 2`` (``cosine``).
"""

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "linear": lambda share: 1 - share,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
}
"""Name -> factor as a function of ``t / T``."""


def factor(schedule: str, step: int, steps: int) -> float:
    """Factor of the update from ``step`` to ``step + 1``, of ``steps`` updates."""
    return SCHEDULES[schedule](step / steps)
