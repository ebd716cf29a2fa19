"""The judged claims as the report shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json
from muon_imbalance.reporting.site import tables

CLAIM_KEYS = (
    "id", "figure", "statement", "paper_ref", "verdict", "n", "estimate", "ci_low", "ci_high", "comparator",
    "threshold", "data_kind", "note", "kind", "family", "variant", "unit", "scale_factor", "reason", "seeds_needed",
    "experiments", "datasets", "headline", "tolerance_reason", "set_by", "set_when",
)  # fmt: skip
"""Keys of a record in claims.json."""


@dataclass(frozen=True)
class Verdict:
    """How a verdict is shown: never by its colour alone."""

    key: str
    label: str
    sign: str


VERDICTS = {
    "holds": Verdict("holds", "holds", "✓"),
    "fails": Verdict("fails", "fails", "✗"),
    "absent": Verdict("absent", "absent", "∅"),
    "inconclusive": Verdict("inconclusive", "inconclusive", "≈"),
    "not-run": Verdict("not-run", "not run", "–"),
}
FINDINGS = {"holds": "confirmed", "fails": "refuted"}
"""What the verdict on a finding of the audit is called; the others: open."""
_SIGNS = {">=": "≥", "<=": "≤"}


def read_claims(path: str | Path) -> list[dict]:
    """Records of claims.json with :class:`Verdict` objects and the rule in words.

    Raises:
        UserError: the file cannot be read, a record lacks a key, or a verdict is unknown.
    """
    found = []
    for record in read_json(path, list, hint="judge the claims again"):
        if not isinstance(record, dict):
            raise UserError(f"{path} holds {record!r}, which is no claim: judge the claims again")
        missing = [key for key in CLAIM_KEYS if key not in record]
        if missing:
            raise UserError(f"{path}: claim {record.get('id')!r} lacks {', '.join(missing)}")
        if record["verdict"] not in VERDICTS:
            raise UserError(
                f"{path}: claim {record['id']} has the verdict {record['verdict']!r}; allowed: {', '.join(VERDICTS)}"
            )
        found.append({**record, "verdict": _shown(record), "rule": _rule(record)})
    return found


def _shown(record: Mapping) -> Verdict:
    """The verdict; a finding of the audit is confirmed, refuted or open."""
    verdict = VERDICTS[record["verdict"]]
    if record["kind"] != "audit" or verdict.key == "not-run":
        return verdict
    return replace(verdict, label=FINDINGS.get(verdict.key, "open"))


def _rule(record: Mapping) -> Markup:
    """The comparator and the threshold it is compared with."""
    if record["comparator"] is None:
        return Markup("–")
    comparator = _SIGNS.get(record["comparator"], record["comparator"])
    threshold = Markup("") if record["threshold"] is None else tables.cell(record["threshold"])
    return Markup("{} {}").format(comparator, threshold).strip()
