"""What one comparison of a claim measured: one number (or series) a repetition, paired by seed."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from muon_imbalance.analysis.claims.claim import Check
from muon_imbalance.analysis.claims.effects import UNITS
from muon_imbalance.analysis.claims.intervals import look
from muon_imbalance.analysis.statistics import equal_progress
from muon_imbalance.analysis.statistics.curves import difference
from muon_imbalance.analysis.statistics.evidence import Experiment, Run, Series, Unusable
from muon_imbalance.analysis.statistics.protocol import Measured, NoValue
from muon_imbalance.common.errors import UserError


@dataclass
class Sample:
    """One comparison, measured.

    Attributes:
        values: ``[n]``, or ``[n, T]`` where every record counts.
        at_least, at_most: some values are lower (upper) bounds of the truth.
        notes: remarks for the record.
        unreached: repetitions left out because a curve never got where it is read.
        count: what n is, where a value is itself the worst of many.
        origin: where such a value was found.
        flat: ``[T]`` (or ``[1]``): where both sides lie at the floor, or both at the ceiling, so that nothing shows.
    """

    values: np.ndarray
    at_least: bool = False
    at_most: bool = False
    notes: list[str] = field(default_factory=list)
    unreached: int = 0
    count: int | None = None
    origin: str = ""
    flat: np.ndarray = field(default_factory=lambda: np.zeros(1, dtype=bool))


@dataclass
class _Tally:
    """What happened to the repetitions of a comparison."""

    censored: Counter = field(default_factory=Counter)
    unusable: Counter = field(default_factory=Counter)
    unreached: int = 0


Part = Measured | Series


def _of_runs(check: Check, options: Mapping, runs: tuple[Run, ...], tally: _Tally) -> list[Part] | None:
    """The statistic of each of one repetition's runs, or of the pair; None (and a note) if it has no value."""
    if len({run.horizon for run in runs}) > 1:
        tally.unusable[f"{' and '.join(run.optimizer for run in runs)} end at different steps"] += 1
        return None
    parts: list[Part] = []
    for subject in [runs] if check.statistic.takes == "pair" else [(run,) for run in runs]:
        try:
            part = check.statistic.function(*subject, **options)
            if isinstance(part, Measured) and not math.isfinite(part.value):
                raise NoValue("the value is not finite")
        except Unusable as error:
            tally.unusable[f"{' or '.join(run.optimizer for run in runs)}: {error}"] += 1
            return None
        except NoValue as error:
            tally.unusable[f"{subject[0].optimizer}: {error}"] += 1
            tally.unreached += 1
            return None
        tally.censored[subject[0].optimizer] += isinstance(part, Measured) and part.censored
        parts.append(part)
    return parts


def _compared(check: Check, runs: tuple[Run, ...], parts: list[Part], tally: _Tally) -> Part | None:
    """One value of one repetition: the only one, or the difference (ratio) of two."""
    if len(parts) == 1:
        return parts[0]
    if not isinstance(parts[0], Measured):
        return difference(*parts, f"{check.label}: {' and '.join(run.optimizer for run in runs)}")
    first, second = (part.value for part in parts)
    if check.needed.relation == "minus":
        return Measured(first - second)
    if not second > 0:
        tally.unusable[f"{runs[0].optimizer}: the value of {runs[1].optimizer} is {second:g}"] += 1
        return None
    return Measured(first / second)


def _stacked(parts: list[Part]) -> np.ndarray:
    """Numbers ``[n]``, or series ``[n, T]`` at the steps that all of them have."""
    if not parts or isinstance(parts[0], Measured):
        return np.array([part.value for part in parts])
    steps = sorted(set.intersection(*(set(part[0].tolist()) for part in parts)))
    values = np.array([part[1][np.isin(part[0], steps)] for part in parts])
    return values if values.size else np.empty(0)


def _flat(check: Check, sides: list[list[Part]]) -> np.ndarray:
    """Where both sides' means are within the smallest effect of 0, or of 1, of values of a curve that lies between."""
    floored = getattr(check.options.get("of"), "floored", False) and check.statistic.unit(check.options) == "accuracy"
    if len(sides[0]) != 2 or not floored:
        return np.zeros(1, dtype=bool)
    means = [np.atleast_1d(_stacked([parts[side] for parts in sides]).mean(0)) for side in (0, 1)]
    near = UNITS["accuracy"].smallest
    return np.all([mean <= near for mean in means], 0) | np.all([mean >= 1 - near for mean in means], 0)


def of(check: Check, names: tuple[str, ...], experiment: Experiment) -> tuple[dict[int, Part], Sample]:
    """The check's statistic for ``names`` (one optimizer, or two that are compared): by seed, and what is said of it.

    Raises:
        Missing: something was not run.
    """
    if check.statistic.takes == "experiment":
        measured = check.statistic.function(experiment, **check.options)
        sample = Sample(np.array([measured.value]), count=measured.count, origin=measured.note)
        return {0: measured}, sample
    tables, diverged = [experiment.runs(name) for name in names], {n: experiment.diverged(n) for n in names}
    notes = [
        f"{n} diverged with seed {', '.join(map(str, seeds))} (left out)" for n, seeds in diverged.items() if seeds
    ]
    seeds = sorted(set.intersection(*map(set, tables)))
    if alone := sorted(set.union(*map(set, tables)) - set(seeds) - set(sum(diverged.values(), []))):
        notes.append(f"seed {', '.join(map(str, alone))} was not run with both (left out)")
    options, said = equal_progress.resolved(check.options, experiment, check.names())
    tally, values, sides = _Tally(), {}, []
    for seed in seeds:
        runs = tuple(table[seed] for table in tables)
        parts = _of_runs(check, options, runs, tally)
        value = _compared(check, runs, parts, tally) if parts else None
        if value is not None:
            values[seed] = value
            sides.append(parts)
    notes += [said] if said else []
    notes += [f"{text} ({count} of {len(seeds)} runs, left out)" for text, count in tally.unusable.items()]
    for name, count in tally.censored.items():
        if count:
            notes.append(f"{name} did not get there in {count} of {len(seeds)} runs, which count with the horizon")
    sample = Sample(
        _stacked(list(values.values())),
        at_least=bool(tally.censored[names[0]]),
        at_most=len(names) > 1 and bool(tally.censored[names[-1]]),
        notes=notes,
        unreached=tally.unreached,
    )
    if len(sample.values):
        sample.flat = _flat(check, sides[: look(len(sides), experiment.looks)[0]])
    return values, sample


def contrast(parts: Mapping[str, tuple[dict[int, Part], Sample]], weights: Mapping[str, float]) -> Sample:
    """Weighted sum over experiments of numbers paired by seed; remarks carry the experiment's name.

    Raises:
        UserError: the statistic has a value at every record.
    """
    seeds = sorted(set.intersection(*(set(values) for values, _ in parts.values())))
    if not all(isinstance(part, Measured) for values, _ in parts.values() for part in values.values()):
        raise UserError("contrast takes statistics that have one number a repetition")
    values = [sum(weight * parts[name][0][seed].value for name, weight in weights.items()) for seed in seeds]
    samples = [sample for _, sample in parts.values()]
    return Sample(
        np.array(values),
        at_least=any((s.at_least if weights[n] > 0 else s.at_most) for n, (_, s) in parts.items()),
        at_most=any((s.at_most if weights[n] > 0 else s.at_least) for n, (_, s) in parts.items()),
        notes=[f"{name}: {note}" for name, (_, sample) in parts.items() for note in sample.notes],
        unreached=max(sample.unreached for sample in samples),
        flat=np.all([sample.flat.all() for sample in samples], keepdims=True),
    )
