"""A verdict in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from muon_imbalance.analysis.claims.claim import Claim
from muon_imbalance.analysis.claims.comparators import ABSENT, FAILS, HOLDS, INCONCLUSIVE, NOT_RUN

if TYPE_CHECKING:
    from muon_imbalance.analysis.claims.judging import Outcome

_VERBS = {
    HOLDS: "hold",
    FAILS: "fail",
    ABSENT: "find no effect",
    INCONCLUSIVE: "are inconclusive",
    NOT_RUN: "were not run",
}


def number(value: float) -> str:
    """Three significant digits, without an exponent for ordinary sizes."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def sentence(claim: Claim, outcome: "Outcome", outcomes: Sequence["Outcome"]) -> str:
    """What the deciding comparison found, how many agree with it, and every remark once."""
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
