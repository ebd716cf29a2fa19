"""What a statistic is: one number (or one at every record) from curves, a window and a reduction.

    @statistic("run")
    def area(run: Run, *, of: CurveOption, window: WindowOption = AFTER_START) -> Measured: ...

A function of this folder with that decorator can be named by claim files; the modules of the folder are all read, so
there is no list of them. Its keyword-only arguments are its options: their annotations are checked and described as
settings are (:mod:`muon_imbalance.common.settings`). Statistics know nothing of claims.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, WithJsonSchema, create_model

from muon_imbalance.analysis.statistics.evidence import Curve, Experiment, Run, Series
from muon_imbalance.common.discovery import everything
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Settings, checked

Takes = Literal["run", "pair", "experiment"]


class NoValue(Exception):
    """The statistic has no value for this run, which is left out; the message says why."""


def fraction(value: object) -> float:
    """A finite number from a number or from text such as ``1/3``.

    Raises:
        ValueError: it is neither.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        found = float(Fraction(value)) if isinstance(value, str) else float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{value!r} is not a number; allowed: a number or a fraction such as 1/3")
    return found


Number = Annotated[float, BeforeValidator(fraction), WithJsonSchema({"type": ["number", "string"]})]
"""A finite number, or a fraction's text."""


@dataclass(frozen=True)
class Measured:
    """A number; ``censored``: the truth is at least this; ``note``: where it was found.

    ``count``: of how many values (mixtures, times) it is the worst.
    """

    value: float
    censored: bool = False
    note: str = ""
    count: int = 1


class OfRun(Protocol):
    """Measures one run; differences and ratios of two runs of a seed are made of two such results."""

    def __call__(self, run: Run, **options: Any) -> Measured | Series: ...


class OfPair(Protocol):
    """Measures two runs of one seed together, where that is more than a difference of two numbers."""

    def __call__(self, a: Run, b: Run, **options: Any) -> Measured | Series: ...


class OfExperiment(Protocol):
    """Measures an experiment's settings, grid or closed forms; has no repetitions, so no interval."""

    def __call__(self, experiment: Experiment, **options: Any) -> Measured: ...


@dataclass(frozen=True)
class Statistic:
    """A function of this folder: what it takes, the kind of its value, and its options as a settings class."""

    takes: Takes
    function: OfRun | OfPair | OfExperiment
    kind: str | Callable[[Mapping[str, Any]], str]

    def unit(self, options: Mapping[str, Any]) -> str:
        """Kind of quantity of its value (a key of ``claims.effects.UNITS``) with these options."""
        return self.kind if isinstance(self.kind, str) else self.kind(options)

    @property
    def name(self) -> str:
        """What claim files call it."""
        return self.function.__name__

    @cached_property
    def Options(self) -> type[Settings]:
        """Its options: the keyword-only arguments."""
        parameters = inspect.signature(self.function).parameters.values()
        fields = {
            p.name: (p.annotation, ... if p.default is p.empty else p.default)
            for p in parameters
            if p.kind is p.KEYWORD_ONLY
        }
        return create_model(self.name, __base__=Settings, __doc__=self.function.__doc__, **fields)

    def options(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Options as arguments.

        Raises:
            UserError: an option is unknown, missing or not what is allowed; ``where`` begins the message.
        """
        found = checked(self.Options, given, where)
        return {name: getattr(found, name) for name in self.Options.model_fields}


_FOUND: dict[str, Statistic] = {}


def of_curve(options: Mapping[str, Any]) -> str:
    """Kind of quantity of the curve ``of`` that is measured; none without one (an option ``of`` may be a word)."""
    curve = options.get("of")
    return curve.unit if isinstance(curve, Curve) else ""


def statistic(takes: Takes, kind: str | Callable[[Mapping[str, Any]], str] = of_curve) -> Callable:
    """Decorator: claim files may name this function; ``kind``: of quantity, by default that of the curve ``of``."""

    def add(function: Callable) -> Callable:
        if function.__name__ in _FOUND:
            raise ValueError(f"two statistics are named {function.__name__}")
        _FOUND[function.__name__] = Statistic(takes, function, kind)
        return function

    return add


def statistics() -> dict[str, Statistic]:
    """All statistics of this folder by name."""
    everything("analysis/statistics")
    return dict(sorted(_FOUND.items()))


def named(name: str) -> Statistic:
    """The statistic of this name.

    Raises:
        UserError: there is none; the message lists the allowed ones.
    """
    known = _FOUND if name in _FOUND else statistics()
    if name not in known:
        raise UserError(f"statistic {name!r} is unknown; allowed: {', '.join(known)}")
    return known[name]
