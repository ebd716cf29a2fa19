"""Curves as claim files word them: one that a run recorded, or one made of two.

``accuracy of minority on test``: recorded; ``{of: CURVE, relative_to: first}``: divided by its first (``largest``,
``last``) value; ``{difference: [CURVE, CURVE]}`` and ``{distance: [CURVE, CURVE]}``: of two curves of one run, signed
or not; ``{selected: worst}``: a group's accuracy at every number of epochs, with the configuration selected for it
(Fig. 8).
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, InstanceOf, WithJsonSchema

from muon_imbalance.analysis.statistics import epochwise, reductions
from muon_imbalance.analysis.statistics.evidence import Curve, Recorded, Run, Series
from muon_imbalance.analysis.statistics.protocol import NoValue, fraction
from muon_imbalance.common.errors import UserError
from muon_imbalance.runs.columns import ALLOWED

SPLITS = ALLOWED["split"]
FORM = "<metric> of <group> on <split>"
PATTERN = rf"(?P<metric>\w+)(?: of (?P<group>\w+))? on (?P<split>{'|'.join(SPLITS)})"


@dataclass(frozen=True)
class Relative(Curve):
    """A curve divided by one of its own values."""

    curve: Curve
    to: Literal["first", "largest", "last"]
    unit = "ratio"

    def of(self, run: Run) -> Series:
        steps, values = self.curve.of(run)
        reference = {"first": values[0], "largest": np.max(values), "last": values[-1]}[self.to]
        if not reference:
            raise NoValue(f"{self.curve} is 0{' at the end' if self.to == 'last' else ''}")
        return steps, values / reference

    def __str__(self) -> str:
        return str(self.curve)


@dataclass(frozen=True)
class Difference(Curve):
    """One curve minus another of the same run; ``size``: without the sign."""

    curves: tuple[Curve, Curve]
    size: bool

    @property
    def unit(self) -> str:
        """Kind of quantity of both."""
        return self.curves[0].unit

    def of(self, run: Run) -> Series:
        found = difference(*(curve.of(run) for curve in self.curves), str(self))
        return (found[0], np.abs(found[1])) if self.size else found

    def __str__(self) -> str:
        return " and ".join(map(str, self.curves))


@dataclass(frozen=True)
class Selected(Curve):
    """Test accuracy at every number of epochs of what is selected for that number (:mod:`.epochwise`)."""

    group: str
    unit, floored = "accuracy", True

    def of(self, run: Run) -> Series:
        table = epochwise.cached(run.experiment, run.optimizer, self.group)
        if run.seed not in table:
            raise UserError(f"{run.optimizer} on {run.experiment.name} has no accuracies of seed {run.seed}")
        return table.index.to_numpy(), table[run.seed].to_numpy(dtype=float)

    def __str__(self) -> str:
        return f"selected accuracy (test, {self.group})"


def difference(first: Series, second: Series, name: str) -> Series:
    """One series minus another.

    Raises:
        UserError: they are not recorded at the same steps.
    """
    if not np.array_equal(first[0], second[0]):
        raise UserError(f"{name} are not recorded at the same steps")
    return first[0], first[1] - second[1]


def together(run: Run, curve: Curve, other: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``steps [T]`` that both curves have, and the values of both there.

    Raises:
        UserError: they share no step.
    """
    (steps, values), (there, others) = curve.of(run), other.of(run)
    shared, mine, theirs = np.intersect1d(steps, there, return_indices=True)
    if not len(shared):
        raise UserError(f"{curve} and {other} share no step at which they are recorded")
    return shared, values[mine], others[theirs]


def recorded(text: object) -> Recorded:
    """A recorded curve from ``accuracy of minority on test``; without a group: all.

    Raises:
        ValueError: the text has another form.
    """
    match = re.fullmatch(PATTERN, text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a curve; allowed: {FORM} (group: default all; split: {', '.join(SPLITS)})")
    return Recorded(match["metric"], match["split"], match["group"] or "all")


def parse(value: object) -> Curve:
    """A curve from its notation.

    Raises:
        ValueError: the notation is none of the module's.
    """
    if isinstance(value, Curve):
        return value
    if isinstance(value, str):
        return recorded(value)
    keys = set(value) if isinstance(value, dict) else set()
    if keys == {"of", "relative_to"} and value["relative_to"] in ("first", "largest", "last"):
        return Relative(parse(value["of"]), value["relative_to"])
    for kind in ("difference", "distance"):
        if keys == {kind} and isinstance(value[kind], list) and len(value[kind]) == 2:
            return Difference(tuple(map(parse, value[kind])), kind == "distance")
    if keys == {"selected"} and isinstance(value["selected"], str):
        return Selected(value["selected"])
    maps = "{of: CURVE, relative_to: first | largest | last}, {difference: [CURVE, CURVE]}, {distance: [CURVE, CURVE]}"
    raise ValueError(f"{value!r} is not a curve; allowed: {FORM}, {maps}, {{selected: GROUP}}")


@dataclass(frozen=True)
class Gate:
    """Only records count at which ``curve >= at_least``."""

    curve: Curve
    at_least: float

    def heights(self, run: Run, steps: np.ndarray) -> np.ndarray:
        """The gate's curve at ``steps [T]``, all of which it must have."""
        return at_steps(self.curve.of(run), steps, str(self.curve))

    def open(self, run: Run, steps: np.ndarray) -> np.ndarray:
        """Where the gate is open, ``[T]``."""
        return self.heights(run, steps) >= self.at_least - reductions.ROUNDING


def gate(value: object) -> Gate:
    """A gate from ``accuracy of majority on test >= 0.9``.

    Raises:
        ValueError: the text has another form.
    """
    if isinstance(value, Gate):
        return value
    name, sign, level = value.partition(" >= ") if isinstance(value, str) else ("", "", "")
    if not sign:
        raise ValueError(f"{value!r} is not a gate; allowed: {FORM} >= LEVEL")
    return Gate(parse(name), fraction(level))


def at_steps(series: Series, steps: np.ndarray, name: str) -> np.ndarray:
    """Values of a series at ``steps``.

    Raises:
        UserError: it lacks one of them.
    """
    position = np.searchsorted(series[0], steps)
    if not len(steps) or len(series[0]) <= position.max() or (series[0][position] != steps).any():
        raise UserError(f"{name} is not recorded at the steps it is compared at")
    return series[1][position]


_TEXT = {
    "type": "string",
    "pattern": f"^{PATTERN.replace('?P<metric>', '').replace('?P<group>', '').replace('?P<split>', '')}$",
}
_SCHEMA = {"anyOf": [_TEXT, {"type": "object"}], "description": " ".join(__doc__.split())}
CurveOption = Annotated[InstanceOf[Curve], BeforeValidator(parse), WithJsonSchema(_SCHEMA)]
RecordedOption = Annotated[InstanceOf[Recorded], BeforeValidator(recorded), WithJsonSchema(_TEXT)]
GateOption = Annotated[
    InstanceOf[Gate], BeforeValidator(gate), WithJsonSchema({"type": "string", "description": f"{FORM} >= LEVEL"})
]
