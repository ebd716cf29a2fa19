"""Verdicts: every claim is evaluated on the runs at hand and becomes one record.

``holds`` if the interval of every comparison clears its threshold. ``fails`` if one lies strictly on the other side,
``absent`` if one lies within the smallest effect of interest around "no difference", both at a level corrected for the
number of the claim's comparisons (Bonferroni). Else ``inconclusive``, with its reason. ``not-run`` if something was not
computed or the scale is not one the claim is written for. The worst comparison decides and is the one reported.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from muon_imbalance.analysis.claims import intervals, samples
from muon_imbalance.analysis.claims.claim import Check, Claim
from muon_imbalance.analysis.claims.comparators import ABSENT, FAILS, HOLDS, INCONCLUSIVE, NOT_RUN
from muon_imbalance.analysis.claims.effects import UNITS, Unit
from muon_imbalance.analysis.claims.samples import Sample
from muon_imbalance.analysis.claims.wording import sentence
from muon_imbalance.analysis.statistics.evidence import Experiment, Missing
from muon_imbalance.common.errors import UserError

SEVERITY = (FAILS, ABSENT, NOT_RUN, INCONCLUSIVE, HOLDS)  # the first one present decides a conjunction
REASONS = ("at_floor", "too_few_seeds", "interval", "never_reached", "grid_edge", "horizon")
"""Why a verdict is inconclusive.

at_floor: both sides lie at 0 or at 1, where nothing can show; too_few_seeds: fewer usable repetitions than the claim
asks for; interval: it reaches over the threshold; never_reached: a curve does not get to where it is read; grid_edge: a
learning rate was selected on an edge of its grid beyond which it may be better still; horizon: training ends too early.
"""


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
    reason: str | None = None
    seeds_needed: int | None = None

    @property
    def clearance(self) -> float:
        """Distance of the estimate from the threshold in half-widths of its interval (-1 without one)."""
        if self.estimate is None or self.low is None or self.high is None:
            return -1.0
        half = (self.high - self.low) / 2
        return abs(self.estimate - self.check.needed.threshold) / half if half > 0 else math.inf


def unit_of(check: Check) -> Unit:
    """Unit of a comparison's number."""
    return UNITS["ratio" if check.needed.relation == "over" else check.statistic.unit(check.options)]


def _smallest(check: Check) -> float | None:
    """The smallest effect of interest, where the comparison asks for any difference; None for other thresholds."""
    same = {"minus": 0.0, "over": 1.0}.get(check.needed.relation)
    return unit_of(check).smallest if check.needed.threshold == same else None


@dataclass(frozen=True)
class Spread:
    """Estimate, interval and corrected interval of a sample; ``at``: the record that is worst for the claim."""

    estimate: float
    ends: intervals.Ends | None
    wide: intervals.Ends | None
    at: int = 0


def spread(claim: Claim, check: Check, values: np.ndarray, alpha: float, comparisons: int) -> Spread:
    """Of a sample; for ``every_seed``, the worst repetition and the range."""
    sign = 1.0 if check.needed.comparator.upward else -1.0  # "at every step" looks at the step worst for the claim
    signed = sign * values
    if claim.evidence == "every_seed":
        each = signed.min(1) if signed.ndim == 2 else signed
        estimate, ends, at = each.min(), (each.min(), each.max()), 0
        wide = ends
    else:
        series = signed.ndim == 2
        find = intervals.everywhere_interval if series else intervals.interval
        means = np.atleast_1d(signed.mean(0))
        at, estimate = int(means.argmin()), means.min()
        ends, wide = find(signed, alpha), find(signed, alpha / comparisons)
    ordered = (tuple(sorted(float(sign * end) for end in pair)) if pair else None for pair in (ends, wide))
    return Spread(float(sign * estimate), *ordered, at)


def decided(claim: Claim, check: Check, sample: Sample, found: Spread) -> tuple[str, str | None, list[str]]:
    """Verdict, reason and remarks of a comparison that has an interval, before edges of grids are looked at."""
    comparator, threshold = check.needed.comparator, check.needed.threshold
    at = min(found.at, len(sample.flat) - 1)
    strictly = found.ends[0] > threshold if comparator.upward else found.ends[1] < threshold
    if comparator.clears(*found.ends, threshold) and (strictly or not sample.flat.all()):
        verdict = HOLDS
    elif comparator.misses(*found.wide, threshold):
        verdict = FAILS
    elif sample.flat[at]:
        return INCONCLUSIVE, "at_floor", ["both lie at the floor, or both at the ceiling: nothing can show there"]
    else:
        smallest = _smallest(check)
        within = smallest is not None and sample.values.ndim == 1 and claim.evidence == "interval"
        same = threshold  # 0 of a difference, 1 of a ratio
        if sample.at_least and sample.at_most:
            return INCONCLUSIVE, "horizon", ["the horizon is too short to decide"]
        within = within and not sample.at_least and not sample.at_most
        if within and same - smallest < found.wide[0] and found.wide[1] < same + smallest:
            return ABSENT, None, [f"the interval lies within {_amount(check, smallest)} of no difference"]
        return INCONCLUSIVE, "interval", []
    upward = comparator.upward
    against = {HOLDS: (sample.at_least, sample.at_most), FAILS: (sample.at_most, sample.at_least)}
    at_least, at_most = against[verdict]
    if at_most if upward else at_least:
        return INCONCLUSIVE, "horizon", ["the horizon is too short to decide"]
    return verdict, None, []


def _amount(check: Check, value: float) -> str:
    unit = unit_of(check)
    return f"{unit.factor * value:.3g} {unit.shown}".strip()


def _needed(claim: Claim, check: Check, sample: Sample, found: Spread, alpha: float, comparisons: int) -> int | None:
    """Repetitions that would decide, were this sample's mean and deviation the truth."""
    if claim.evidence != "interval" or len(sample.values) < 2:
        return None
    column = sample.values if sample.values.ndim == 1 else sample.values[:, found.at]
    within = _smallest(check) if sample.values.ndim == 1 else None
    effect = (found.estimate - check.needed.threshold) * (1 if check.needed.comparator.upward else -1)
    needed = intervals.seeds_needed(effect, float(column.std(ddof=1)), within, alpha, comparisons)
    return None if needed is None else max(needed, claim.min_seeds)


def _sampled(check: Check, names: tuple[str, ...], claim: Claim, evidence: Mapping[str, Experiment]) -> Sample:
    if not claim.contrast:
        return samples.of(check, names, evidence[claim.experiment])[1]
    parts = {name: samples.of(check, names, evidence[name]) for name in claim.contrast}
    return samples.contrast(parts, claim.contrast)


def _judge(claim: Claim, check: Check, names: tuple[str, ...], evidence: Mapping[str, Experiment]) -> Outcome:
    """One comparison: measured, then judged."""
    subject = f" {check.needed.relation} ".join(names)
    try:
        sample = _sampled(check, names, claim, evidence)
    except Missing as error:
        return Outcome(check, subject, NOT_RUN, notes=[str(error)])
    few = "never_reached" if sample.unreached else "too_few_seeds"
    if not len(sample.values):
        return Outcome(check, subject, INCONCLUSIVE, notes=["no usable repetition", *sample.notes], reason=few)
    main, alpha = evidence[claim.experiment], intervals.ALPHA
    if sample.count is None and claim.evidence == "interval":
        counted, alpha = intervals.look(len(sample.values), main.looks)
        if counted < len(sample.values):
            sample.notes.append(f"the first {counted} of {len(sample.values)} repetitions count, the last planned look")
        sample.values = sample.values[:counted]
    n = len(sample.values) if sample.count is None else sample.count
    comparisons = sum(len(other.comparisons()) for other in claim.checks)
    found = spread(claim, check, sample.values, alpha, comparisons)
    low, high = found.ends or (None, None)
    if n < claim.min_seeds:
        verdict, reason, said = INCONCLUSIVE, few, [f"{n} usable repetitions, {claim.min_seeds} needed"]
    elif found.ends is None:
        verdict, reason, said = INCONCLUSIVE, few, ["one repetition has no interval"]
    else:
        verdict, reason, said = decided(claim, check, sample, found)
    edges = [edge for name in names for one in claim.experiments if (edge := evidence[one].edge(name))]
    if any(edge.rising for edge in edges):
        verdict, reason = INCONCLUSIVE, "grid_edge"
    notes = [*said, *sample.notes, *map(str, edges)]
    short = reason in ("interval", "too_few_seeds")
    needed = _needed(claim, check, sample, found, alpha, comparisons) if short else None
    return Outcome(check, subject, verdict, n, found.estimate, low, high, notes, sample.origin, reason, needed)


def binding(outcomes: list[Outcome]) -> Outcome:
    """The outcome that decides: the worst verdict; among equals the clearest failure or else the weakest."""
    worst = min((outcome.verdict for outcome in outcomes), key=SEVERITY.index)
    equals = [outcome for outcome in outcomes if outcome.verdict == worst]
    return max(equals, key=lambda o: o.clearance) if worst == FAILS else min(equals, key=lambda o: o.clearance)


def _record(claim: Claim, outcome: Outcome, note: str, kind: str | None, datasets: Collection[str] = ()) -> dict:
    unit = unit_of(outcome.check)
    smallest = _smallest(outcome.check)
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
        "kind": claim.kind,
        "family": claim.family,
        "variant": claim.variant,
        "unit": unit.shown,
        "scale_factor": unit.factor,
        "reason": outcome.reason,
        "seeds_needed": outcome.seeds_needed,
        "experiments": list(claim.experiments),
        "datasets": list(datasets),
        "headline": claim.headline,
        "smallest_effect": smallest,
        "tolerance_reason": claim.tolerance_reason,
        "set_by": claim.set_by,
        "set_when": claim.set_when,
    }


def judge(
    claim: Claim,
    evidence: Mapping[str, Experiment],
    scale: str,
    kind: str | None = None,
    figures: Collection[str] | None = None,
) -> dict:
    """The record of one claim (contract keys).

    Args:
        claim: what is stated.
        evidence: the claim's experiments by name.
        scale: the scale at hand.
        kind: kind of the data the experiments ran on.
        figures: figures that are part of the run; None: all.

    Raises:
        UserError: the claim names a curve, seed or closed form that the tables contradict.
    """
    settings = [evidence[name].settings or {} for name in claim.experiments]
    datasets = [*dict.fromkeys(one["dataset"] for one in settings if one.get("dataset"))]

    def skipped(reason: str) -> dict:
        return _record(claim, Outcome(claim.checks[0], "", NOT_RUN), reason, kind, datasets)

    if scale not in claim.scales:
        return skipped(f"Not judged at scale {scale}: the claim is written for {', '.join(claim.scales)}.")
    if figures is not None and claim.figure not in figures:
        return skipped(f"{claim.figure} is not part of this run.")
    try:
        if stop := claim.stop:
            cut = {name: evidence[name].stopped(stop.optimizer, stop.curve, stop.below) for name in claim.experiments}
            evidence = {**evidence, **cut}
        outcomes = [_judge(claim, check, names, evidence) for check in claim.checks for names in check.comparisons()]
    except Missing as error:
        return skipped(f"{error}.")
    except UserError as error:
        raise UserError(f"claim {claim.id}: {error}") from None
    outcome = binding(outcomes)
    return _record(claim, outcome, sentence(claim, outcome, outcomes), kind, datasets)
