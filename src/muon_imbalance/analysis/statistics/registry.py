"""What a statistic is: a function, what it takes, and its options, parsed from a claim file.

A statistic takes one ``run`` (with ``minus`` in the claim, the difference of two runs of one seed), a
``pair`` of runs of one seed, or the experiment's ``setting`` alone. The keyword-only arguments of the
function are its options.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args, get_origin

from muon_imbalance.analysis.statistics.evidence import Curve
from muon_imbalance.common.errors import UserError


@dataclass(frozen=True)
class Gate:
    """Only steps count at which ``curve >= at_least``."""

    curve: Curve
    at_least: float


@dataclass(frozen=True)
class Measured:
    """A number; ``censored``: the truth is at least this; ``note``: its origin, or why it is NaN.

    ``count``: of how many values (mixtures, times) it is the worst.
    """

    value: float
    censored: bool = False
    note: str = ""
    count: int = 1


@dataclass(frozen=True)
class Statistic:
    """An entry of the list: what it takes and the function that computes it."""

    name: str
    takes: Literal["run", "pair", "setting"]
    function: Callable

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """Its options by name."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}

    def parse(self, given: dict) -> dict:
        """A claim file's options as arguments; :class:`UserError` for unknown, missing, malformed ones."""
        if unknown := sorted(set(given) - set(self.options)):
            raise UserError(f"statistic {self.name}: unknown options {unknown}; allowed: {', '.join(self.options)}")
        required = [name for name, option in self.options.items() if option.default is option.empty]
        if absent := [name for name in required if name not in given]:
            raise UserError(f"statistic {self.name}: options {absent} are missing; allowed: {', '.join(self.options)}")
        return {name: _parse(value, self.options[name].annotation, name) for name, value in given.items()}


STATISTICS: dict[str, Statistic] = {}


def register(takes: Literal["run", "pair", "setting"]) -> Callable:
    """Decorator: put a function on the list of statistics, under its own name."""

    def add(function: Callable) -> Callable:
        STATISTICS[function.__name__] = Statistic(function.__name__, takes, function)
        return function

    return add


def parse_curve(value: object, where: str) -> Curve:
    """A curve from ``{metric, split, group}``."""
    keys = list(Curve.__dataclass_fields__)
    if not isinstance(value, dict) or set(value) - set(keys) or not {"metric", "split"} <= set(value):
        raise UserError(
            f"{where} is {value!r}; it must be a curve with the keys {', '.join(keys)} (group: default all)"
        )
    return Curve(**{key: str(text) for key, text in value.items()})


def _parse(value: object, kind: object, where: str):
    if kind is Curve:
        return parse_curve(value, where)
    if kind in (Gate, Gate | None):
        if not isinstance(value, dict) or set(value) != {"curve", "at_least"}:
            raise UserError(f"{where} is {value!r}; it must have the keys curve, at_least")
        return Gate(
            parse_curve(value["curve"], f"{where}.curve"),
            _parse(value["at_least"], float, f"{where}.at_least"),
        )
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UserError(f"{where} is {value!r}; allowed: {', '.join(get_args(kind))}")
        return value
    if kind is str:
        return str(value)
    try:
        return float(Fraction(value)) if isinstance(value, str) else float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        raise UserError(f"{where} is {value!r}; it must be a number or a fraction such as '1/3'") from None
