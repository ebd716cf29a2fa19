"""Which records of a curve count. At step 0 nothing is learned yet, so most windows leave it out."""

import re
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, InstanceOf, WithJsonSchema

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.statistics.evidence import Run
from muon_imbalance.analysis.statistics.protocol import NoValue, fraction

WORDS = "all, after start, early, late, until X, after X, after X until Y, until saturation, steps A to B, start, end"
SHARES = re.compile(r"(?:after (?P<after>\S+) ?)?(?:until (?P<until>\S+))?")
NAMED = {"early": "until 1/2", "late": "after 1/2"}


@dataclass(frozen=True)
class Window:
    """Records of a run, as claim files word them.

    ``all``: every record; ``after start``: every one after step 0; ``after X until Y``: those with ``X < t / horizon
    <= Y``; ``early``: the first half of training, ``late``: the second; ``until saturation``: to ``t* = min r_c / lr``
    (Theorems 1 and 2); ``steps A to B``: from one step to another; ``start``, ``end``: the first or last record alone.
    """

    text: str
    after: float = 0.0
    until: float = 1.0
    steps: tuple[float, float] | None = None

    def shows(self, run: Run, steps: np.ndarray) -> np.ndarray:
        """Which of a run's recorded ``steps [T]`` lie in the window, ``[T]``.

        Raises:
            NoValue: none does.
        """
        if self.text == "all":
            inside = np.ones(len(steps), dtype=bool)
        elif self.text in ("start", "end"):
            inside = np.arange(len(steps)) == (0 if self.text == "start" else len(steps) - 1)
        elif self.text == "until saturation":
            inside = reductions.window(steps, run.moments.r.min() / run.lr)
        elif self.steps:
            inside = (steps >= self.steps[0]) & (steps <= self.steps[1])
        else:
            inside = reductions.window(steps, self.until * steps[-1])
            inside &= ~reductions.window(steps, self.after * steps[-1])
        if not inside.any():
            raise NoValue(f"no record lies in the window {self.text!r}")
        return inside


def parse(value: object) -> Window:
    """A window from its text.

    Raises:
        ValueError: another text than those of :class:`Window`.
    """
    wrong = ValueError(f"{value!r} is not a window; allowed: {WORDS} (X and Y: shares of training such as 1/3)")
    if isinstance(value, Window):
        return value
    if not isinstance(value, str):
        raise wrong
    if value in ("all", "after start", "until saturation", "start", "end"):
        return Window(value)
    try:
        if match := re.fullmatch(r"steps (\d+) to (\d+)", value):
            first, last = map(float, match.groups())
            if first > last:
                raise wrong
            return Window(value, steps=(first, last))
        if value.strip() and (match := SHARES.fullmatch(NAMED.get(value, value))):
            found = Window(value, **{key: fraction(text) for key, text in match.groupdict().items() if text})
            if 0 <= found.after < found.until <= 1:
                return found
    except ValueError:
        pass
    raise wrong


WindowOption = Annotated[
    InstanceOf[Window],
    BeforeValidator(parse),
    WithJsonSchema({"type": "string", "description": f"Records that count: {WORDS}."}),
]
ALL, AFTER_START, END = (parse(text) for text in ("all", "after start", "end"))
