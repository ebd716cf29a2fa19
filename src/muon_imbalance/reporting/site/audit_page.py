"""The page "Audit" of the report: each entry with its figures, its claims and their verdicts in this run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from muon_imbalance.analysis.claims import audit
from muon_imbalance.reporting.site import figure_section, offline, pages

TITLE = "Audit"


def page(
    content: Mapping, claims: Sequence[Mapping], figures: Sequence[str], *, scale: str, back: Path, output: Path
) -> str:
    """HTML of the page.

    Args:
        content: of :func:`audit.read`.
        claims: records of :func:`verdicts.read_claims`.
        figures: ids that the report shows; others are named without a link.
        back: path of the report; ``output``: path of this page.

    Raises:
        UserError: something on the page leads outside.
    """
    report = pages.relative(back, output)
    parts = []
    for part, heading in audit.PARTS.items():
        entries = [entry for entry in content["entries"] if entry["part"] == part]
        if entries:
            parts.append({"heading": heading, "entries": [_resolved(e, claims, figures, report) for e in entries]})
    html = pages.environment().get_template("audit.html.j2")
    text = html.render(title=TITLE, preface=content["preface"], parts=parts, scale=scale, report=report)
    return offline.check(text, "the page Audit")


def _resolved(entry: Mapping, claims: Sequence[Mapping], figures: Sequence[str], report: str) -> dict:
    """The entry with links to figures that are shown, and with the records of its claims, each once."""
    records = {claim["id"]: claim for claim in claims}
    names = dict.fromkeys(name for reference in entry["claims"] for name in audit.matching(reference, records))
    shown = [
        {"name": figure_section.name(figure), "href": f"{report}#{figure}" if figure in figures else None}
        for figure in entry["figures"]
    ]
    return {**entry, "figures": shown, "claims": [records[name] for name in names]}
