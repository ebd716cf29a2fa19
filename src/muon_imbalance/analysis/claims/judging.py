"""Verdicts: every claim is evaluated on the runs at hand and becomes one record.

``holds`` if the interval of each check clears its threshold, ``fails`` if one lies wholly on the wrong side,
``inconclusive`` if neither (or with too few repetitions, or if a learning rate was selected on the edge of its grid
and the gated area still rises there), ``not-run`` if something was not computed or the scale is not one the
claim is written for. The worst check decides and is the one reported.
"""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from muon_imbalance.analysis.claims import intervals
from muon_imbalance.analysis.claims.claim import Check, Claim
from muon_imbalance.analysis.claims.comparators import FAILS, HOLDS, INCONCLUSIVE, NOT_RUN
from muon_imbalance.analysis.statistics.curves import difference
from muon_imbalance.analysis.statistics.evidence import Experiment, Missing, Run, Series, Unusable
from muon_imbalance.analysis.statistics.protocol import Measured, NoValue
from muon_imbalance.common.errors import UserError

SEVERITY = (FAILS, NOT_RUN, INCONCLUSIVE, HOLDS)  # the first one present decides a conjunction


@dataclass
class Sample:
    """What one comparison measured: ``values [n]`` or ``[n, T]``, what censoring made of them, remarks."""

    values: np.ndarray
    at_least: bool = False  # some values are lower bounds of the truth
    at_most: bool = False  # some are upper bounds
    notes: list[str] = field(default_factory=list)
    count: int | None = None  # what n is, where a value is itself the worst of many
    origin: str = ""  # where such a value was found


@dataclass
class Outcome:
    """One comparison of a check, judged."""

    check: Check
    subject: str
    verdict: str
    n: int = 0
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    notes: list[str] = field(default_factory=list)
    origin: str = ""

    @property
    def clearance(self) -> float:
        """Distance of the estimate from the threshold in half-widths of its interval (-1 without one)."""
        if self.estimate is None or self.low is None or self.high is None:
            return -1.0
        half = (self.high - self.low) / 2
        return abs(self.estimate - self.check.needed.threshold) / half if half > 0 else math.inf


def number(value: float) -> str:
    """Three significant digits, without an exponent for ordinary sizes."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _measure(check: Check, runs: tuple[Run, ...], censored: Counter, notes: Counter) -> Measured | Series | None:
    """One repetition's number, or ``(steps, differences)``; None (and a note) if it has no value."""
    if len({run.horizon for run in runs}) > 1:
        notes[f"{' and '.join(run.optimizer for run in runs)} end at different steps"] += 1
        return None
    subjects = [runs] if check.statistic.takes == "pair" else [(run,) for run in runs]
    parts: list[Measured | Series] = []
    for subject in subjects:
        try:
            part = check.statistic.function(*subject, **check.options)
            if isinstance(part, Measured) and not math.isfinite(part.value):
                raise NoValue("the value is not finite")
        except Unusable as error:
            notes[f"{' or '.join(run.optimizer for run in runs)}: {error}"] += 1
            return None
        except NoValue as error:
            notes[f"{subject[0].optimizer}: {error}"] += 1
            return None
        parts.append(part)
    for (run, *_), part in zip(subjects, parts, strict=True):
        censored[run.optimizer] += isinstance(part, Measured) and part.censored
    if len(parts) == 1:
        return parts[0]
    if not isinstance(parts[0], Measured):
        return difference(*parts, f"{check.label}: {' and '.join(run.optimizer for run in runs)}")
    first, second = (part.value for part in parts)
    if check.needed.relation == "minus":
        return Measured(first - second)
    if not second > 0:
        notes[f"{runs[0].optimizer}: the value of {runs[1].optimizer} is {second:g}"] += 1
        return None
    return Measured(first / second)


def _sample(check: Check, names: tuple[str, ...], experiment: Experiment) -> Sample:
    """The check's statistic for ``names`` (one optimizer, or two whose difference counts), paired by seed."""
    if check.statistic.takes == "experiment":
        measured = check.statistic.function(experiment, **check.options)
        return Sample(np.array([measured.value]), count=measured.count, origin=measured.note)
    tables = [experiment.runs(name) for name in names]
    notes = [
        f"{name} diverged with seed {', '.join(map(str, seeds))} (left out)"
        for name in names
        if (seeds := experiment.diverged(name))
    ]
    seeds = sorted(set.intersection(*map(set, tables)))
    if alone := sorted(
        set.union(*map(set, tables)) - set(seeds) - {s for name in names for s in experiment.diverged(name)}
    ):
        notes.append(f"seed {', '.join(map(str, alone))} was not run with both (left out)")
    censored, unusable = Counter(), Counter()
    measured = [_measure(check, tuple(table[seed] for table in tables), censored, unusable) for seed in seeds]
    measured = [value for value in measured if value is not None]
    notes += [f"{text} ({count} of {len(seeds)} runs, left out)" for text, count in unusable.items()]
    for name, count in censored.items():
        if count:
            notes.append(f"{name} did not get there in {count} of {len(seeds)} runs, which count with the horizon")
    if measured and isinstance(measured[0], tuple):
        steps = sorted(set.intersection(*(set(part[0].tolist()) for part in measured)))
        values = np.array([part[1][np.isin(part[0], steps)] for part in measured])
        values = values if values.size else np.empty(0)
    else:
        values = np.array([value.value for value in measured])
    return Sample(values, bool(censored[names[0]]), len(names) > 1 and bool(censored[names[-1]]), notes)


def _spread(claim: Claim, check: Check, values: np.ndarray) -> tuple[float, tuple[float, float] | None]:
    """Estimate and interval (or, for ``every_seed``, the worst repetition and the range) of a sample."""
    # "at every step" looks at the step that is worst for the claim
    sign = 1.0 if check.needed.comparator.upward else -1.0
    signed = sign * values
    if claim.evidence == "every_seed":
        each = signed.min(1) if signed.ndim == 2 else signed
        estimate, ends = each.min(), (each.min(), each.max())
    elif signed.ndim == 2:
        estimate, ends = signed.mean(0).min(), intervals.everywhere_interval(signed)
    else:
        estimate, ends = signed.mean(), intervals.interval(signed)
    interval = tuple(sorted(float(sign * end) for end in ends)) if ends else None
    return float(sign * estimate), interval


def _judge(claim: Claim, check: Check, names: tuple[str, ...], experiment: Experiment) -> Outcome:
    """One comparison: measured, then judged."""
    subject = f" {check.needed.relation} ".join(names)
    try:
        sample = _sample(check, names, experiment)
    except Missing as error:
        return Outcome(check, subject, NOT_RUN, notes=[str(error)])
    n = len(sample.values) if sample.count is None else sample.count
    if n == 0:
        return Outcome(check, subject, INCONCLUSIVE, notes=["no usable repetition", *sample.notes])
    estimate, ends = _spread(claim, check, sample.values)
    verdict, notes = INCONCLUSIVE, sample.notes
    if n < claim.min_seeds:
        notes = [f"{n} usable repetitions, {claim.min_seeds} needed", *notes]
    elif ends is None:
        notes = ["one repetition has no interval", *notes]
    else:
        verdict = check.needed.comparator.verdict(*ends, check.needed.threshold)
        upward = check.needed.comparator.upward
        against = {
            HOLDS: sample.at_most if upward else sample.at_least,
            FAILS: sample.at_least if upward else sample.at_most,
        }
        if against.get(verdict):
            verdict, notes = INCONCLUSIVE, [*notes, "the horizon is too short to decide"]
    edges = [edge for name in names if (edge := experiment.edge(name))]
    notes = [*notes, *map(str, edges)]
    if any(edge.rising for edge in edges):
        verdict = INCONCLUSIVE
    low, high = ends or (None, None)
    return Outcome(check, subject, verdict, n, estimate, low, high, notes, sample.origin)


def binding(outcomes: list[Outcome]) -> Outcome:
    """The outcome that decides: the worst verdict; among equals the clearest failure or else the weakest."""
    worst = min((outcome.verdict for outcome in outcomes), key=SEVERITY.index)
    equals = [outcome for outcome in outcomes if outcome.verdict == worst]
    return max(equals, key=lambda o: o.clearance) if worst == FAILS else min(equals, key=lambda o: o.clearance)


def _sentence(claim: Claim, outcome: Outcome, outcomes: list[Outcome]) -> str:
    """The verdict in words."""
    check, count = outcome.check, len(outcomes)
    text = f"{outcome.subject}, {check.label}: " if outcome.subject else f"{check.label}: "
    if outcome.estimate is None:
        text += outcome.verdict
    else:
        text += number(outcome.estimate)
        ends = [number(end) for end in (outcome.low, outcome.high) if end is not None]
        if len(set(ends)) == 2:
            kind = "worst of all repetitions, range" if claim.evidence == "every_seed" else "95 % interval"
            text += f" ({kind} {' to '.join(ends)})"
        text += f", needed {check.needed.comparator.symbol} {number(check.needed.threshold)}"
    text += f" ({outcome.origin})" if outcome.origin else ""
    if count > 1:
        same = sum(other.verdict == outcome.verdict for other in outcomes)
        text += f"; {'all' if same == count else same} of {count} comparisons {_VERBS[outcome.verdict]}"
    remarks = dict.fromkeys([*outcome.notes, *(note for other in outcomes for note in other.notes)])
    return "; ".join([text, *remarks]) + "."


_VERBS = {HOLDS: "hold", FAILS: "fail", INCONCLUSIVE: "are inconclusive", NOT_RUN: "were not run"}


def _record(claim: Claim, outcome: Outcome, note: str, kind: str | None) -> dict:
    return {
        "id": claim.id,
        "figure": claim.figure,
        "statement": claim.statement,
        "paper_ref": claim.paper_ref,
        "verdict": outcome.verdict,
        "n": outcome.n,
        "estimate": outcome.estimate,
        "ci_low": outcome.low,
        "ci_high": outcome.high,
        "comparator": outcome.check.needed.comparator.symbol,
        "threshold": outcome.check.needed.threshold,
        "data_kind": kind,
        "note": note,
    }


def judge(
    claim: Claim,
    experiment: Experiment,
    scale: str,
    kind: str | None = None,
    figures: Collection[str] | None = None,
) -> dict:
    """The record of one claim (contract keys).

    Args:
        claim: what is stated.
        experiment: the evidence.
        scale: the scale at hand.
        kind: kind of the data the experiment ran on.
        figures: figures that are part of the run; None: all.

    Raises:
        UserError: the claim names a curve, seed or closed form that the tables contradict.
    """

    def skipped(reason: str) -> dict:
        return _record(claim, Outcome(claim.checks[0], "", NOT_RUN), reason, kind)

    if scale not in claim.scales:
        return skipped(f"Not judged at scale {scale}: the claim is written for {', '.join(claim.scales)}.")
    if figures is not None and claim.figure not in figures:
        return skipped(f"{claim.figure} is not part of this run.")
    try:
        if claim.stop:
            experiment = experiment.stopped(claim.stop.optimizer, claim.stop.curve, claim.stop.below)
        outcomes = [_judge(claim, check, names, experiment) for check in claim.checks for names in check.comparisons()]
    except Missing as error:
        return skipped(f"{error}.")
    except UserError as error:
        raise UserError(f"claim {claim.id}: {error}") from None
    outcome = binding(outcomes)
    return _record(claim, outcome, _sentence(claim, outcome, outcomes), kind)
