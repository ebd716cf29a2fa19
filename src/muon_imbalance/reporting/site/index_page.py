"""The report's front page: what the paper says, what this run shows, and where every figure comes from."""

from collections import Counter
from collections.abc import Sequence

from muon_imbalance.common.errors import UserError
from muon_imbalance.reporting.site import offline, pages
from muon_imbalance.reporting.site.verdicts import VERDICTS

TITLE = "How optimizers learn the tail"
LEAD = (
    "Reproduction and audit of “How Muon's Spectral Design Benefits Generalization: A Study on Imbalanced "
    "Data” (arXiv 2510.22980). Every figure and number on this page was computed by the run described here."
)


def attach(figures: Sequence[dict], claims: Sequence[dict]) -> list[dict]:
    """Give each figure its claims and return the groups of the claims table, in the order of the figures.

    Raises:
        UserError: a figure names a claim that does not exist.
    """
    known = {claim["id"].partition("@")[0] for claim in claims}
    groups = []
    for shown in figures:
        unknown = sorted({claim.partition("@")[0] for claim in shown["named_claims"]} - known)
        if unknown:
            raise UserError(f"{shown['id']} names the claim {', '.join(unknown)}, which claims.json does not hold")
        shown["claims"] = [
            claim
            for claim in claims
            if claim["figure"] == shown["id"] or claim["id"].partition("@")[0] in shown["named_claims"]
        ]
        tally = Counter(claim["verdict"].label for claim in shown["claims"])
        shown["tally"] = ", ".join(f"{count} {label}" for label, count in tally.items())
        own = [claim for claim in claims if claim["figure"] == shown["id"]]
        if own:
            groups.append({"name": f"{shown['name']}: {shown['title']}", "anchor": shown["id"], "claims": own})
    others = [claim for claim in claims if claim["figure"] not in {shown["id"] for shown in figures}]
    if others:
        groups.append({"name": "Figures that this run does not show", "anchor": None, "claims": others})
    return groups


def data_table(figures: Sequence[dict]) -> list[dict]:
    """Every data set once (by name and hash), with the figures that show it."""
    found: dict[tuple, dict] = {}
    for shown in figures:
        for entry in shown["data"]:
            row = found.setdefault((entry["name"], str(entry["sha256"])), {**entry, "shown": []})
            row["shown"].append(shown["name"])
    return [
        {**row, "digest": str(row["sha256"])[:16], "figures": ", ".join(dict.fromkeys(row["shown"]))}
        for row in found.values()
    ]


def run_facts(figures: Sequence[dict]) -> dict:
    """Commits and package versions of all figures, and a warning where they were not made alike."""
    commits = list(dict.fromkeys(shown["git_commit"] for shown in figures if shown["git_commit"]))
    names = sorted({package for shown in figures for package in shown["packages"]})
    versions = {
        package: list(dict.fromkeys(shown["packages"].get(package, "absent") for shown in figures)) for package in names
    }
    mixed = [package for package in names if len(versions[package]) > 1]
    warnings = []
    if mixed:
        warnings.append(f"The figures were not made in one environment: {', '.join(mixed)} differ between them.")
    if len(commits) > 1:
        warnings.append("The figures were made at more than one commit; each figure's own is given beside it.")
    packages = [(package, ", ".join(versions[package])) for package in names]
    return {"commits": commits, "packages": packages, "warnings": warnings}


def index(
    figures: Sequence[dict],
    claims: Sequence[dict],
    *,
    scale: str,
    command: str,
    scale_note: str = "",
    audit: str | None = None,
) -> str:
    """The whole page. ``audit``: address of the page "Audit", if there is one.

    Raises:
        UserError: a figure names an unknown claim, or something on the page leads outside.
    """
    groups = attach(figures, claims)
    tally = Counter(claim["verdict"].key for claim in claims)
    html = (
        pages.environment()
        .get_template("report.html.j2")
        .render(
            title=TITLE,
            lead=LEAD,
            scale=scale,
            scale_note=scale_note,
            command=command,
            audit=audit,
            counts=[(verdict, tally[verdict.key]) for verdict in VERDICTS.values()],
            claim_count=len(claims),
            groups=groups,
            figures=figures,
            data=data_table(figures),
            **run_facts(figures),
        )
    )
    return offline.check(html, "the report")
