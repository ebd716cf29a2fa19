"""Learning-rate schedules: the factor of the learning rate at each step. Plain Python.

With ``T`` steps in all, step ``t = 0, 1, ...`` has the factor 1 (``constant``), ``1 - t/T`` (``linear``) or
``(1 + cos(pi t / T)) / 2`` (``cosine``). With ``w`` steps of warm-up the first have ``(t + 1) / w``, and the rest
follow the schedule over the remaining ``T - w``.
"""

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda share: 1.0,
    "linear": lambda share: 1 - share,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
}
"""Name -> factor as a function of ``t / T``."""


def factor(schedule: str, step: int, steps: int, warmup: int = 0) -> float:
    """Factor of the update from ``step`` to ``step + 1``, of ``steps`` updates."""
    if step < warmup:
        return (step + 1) / warmup
    return SCHEDULES[schedule]((step - warmup) / max(1, steps - warmup))
