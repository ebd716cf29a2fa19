"""The report's front page: what the paper says, what this run shows, and where every figure comes from."""

import base64
import json
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from muon_imbalance.common.errors import UserError
from muon_imbalance.reporting import provenance
from muon_imbalance.reporting.site import offline, pages, tables

TITLE = "How optimizers learn the tail"
LEAD = (
    "Reproduction and audit of “How Muon's Spectral Design Benefits Generalization: A Study on Imbalanced "
    "Data” (arXiv 2510.22980). Every figure and number on this page was computed by the run described here."
)
CLAIM_KEYS = (
    "id",
    "figure",
    "statement",
    "paper_ref",
    "verdict",
    "n",
    "estimate",
    "ci_low",
    "ci_high",
    "comparator",
    "threshold",
    "data_kind",
    "note",
)
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
    "inconclusive": Verdict("inconclusive", "inconclusive", "≈"),
    "not-run": Verdict("not-run", "not run", "–"),
}
LINKS = {
    ".pdf": "PDF",
    ".png": "PNG",
    ".html": "table (.html)",
    ".csv": "numbers (.csv)",
    ".json": "provenance (.json)",
}
"""Files of a figure that the report links to, and what it calls them."""
_SIGNS = {">=": "≥", "<=": "≤"}


def name(identifier: str) -> str:
    """``fig_04`` is Figure 4, ``fig_s1`` Figure S1, ``tab_1`` Table 1."""
    kind, _, number = identifier.partition("_")
    return f"{'Table' if kind == 'tab' else 'Figure'} {number.lstrip('0').upper() or '0'}"


def read_claims(path: str | Path) -> list[dict]:
    """Records of claims.json with :class:`Verdict` objects and the rule in words.

    Raises:
        UserError: the file cannot be read, a record lacks a key, or a verdict is unknown.
    """
    try:
        records = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"claims file {path} cannot be read: {error}") from None
    found = []
    for record in records:
        missing = [key for key in CLAIM_KEYS if key not in record]
        if missing:
            raise UserError(f"{path}: claim {record.get('id')!r} lacks {', '.join(missing)}")
        if record["verdict"] not in VERDICTS:
            raise UserError(
                f"{path}: claim {record['id']} has the verdict {record['verdict']!r}; allowed: {', '.join(VERDICTS)}"
            )
        found.append({**record, "verdict": VERDICTS[record["verdict"]], "rule": _rule(record)})
    return found


def _rule(record: Mapping) -> Markup:
    """The comparator and the threshold it is compared with."""
    if record["comparator"] is None:
        return Markup("–")
    comparator = _SIGNS.get(record["comparator"], record["comparator"])
    threshold = Markup("") if record["threshold"] is None else tables.cell(record["threshold"])
    return Markup("{} {}").format(comparator, threshold).strip()


def read_sidecar(path: str | Path, scale: str) -> dict:
    """The json file beside a figure.

    Raises:
        UserError: it does not exist, lacks a key, or belongs to another scale.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"figure file {path} does not exist; render the figure first") from None
    except json.JSONDecodeError as error:
        raise UserError(f"figure file {path} cannot be read: {error}") from None
    missing = [key for key in provenance.KEYS if key not in record]
    if missing:
        raise UserError(f"figure file {path} lacks {', '.join(missing)}")
    if record["scale"] != scale:
        raise UserError(f"figure file {path} was made at scale {record['scale']!r}, the report is for {scale!r}")
    return record


def _file(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"figure file {path} does not exist; render the figure first")
    return path


def picture(path: Path) -> dict:
    """A PNG as base64 with its size in pixels.

    Raises:
        UserError: it does not exist or is no PNG.
    """
    content = _file(path).read_bytes()
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        raise UserError(f"figure file {path} is not a PNG picture")
    width, height = struct.unpack(">II", content[16:24])
    return {"base64": base64.b64encode(content).decode(), "width": width, "height": height}


def _words(value) -> str:
    """Seeds or experiments in words: ``0, 1, 2`` or ``colored_mnist: 0, 1, 2; linear: 0``."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_words(part)}" for key, part in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(part) for part in value) or "none"
    return str(value)


def figure(entry: Mapping, scale: str, output: Path, notebook_page: Path) -> dict:
    """All that the template needs to show one figure or table.

    Args:
        entry: paths ``files`` (all of the figure's, with its json), ``executed`` (the notebook) and ``log``
            (linked if it is there).
        scale: scale of the report.
        output: path of the report.
        notebook_page: path of the executed notebook's page.

    Raises:
        UserError: a file is missing or broken.
    """
    files = {Path(path).suffix: _file(Path(path)) for path in entry["files"]}
    is_table = ".html" in files
    missing = {".json", ".csv", *(() if is_table else (".pdf", ".png"))} - set(files)
    if missing:
        raise UserError(f"--figures: no {', '.join(sorted(missing))} among {', '.join(entry['files'])}")
    record = read_sidecar(files[".json"], scale)
    links = [("notebook, as run", notebook_page)]
    links += [(label, files[suffix]) for suffix, label in LINKS.items() if suffix in files]
    links.append(("notebook (.ipynb)", Path(entry["executed"])))
    if Path(entry["log"]).is_file():
        links.append(("log", Path(entry["log"])))
    page = files[".html"].read_text(encoding="utf-8") if is_table else ""
    return {
        **record,
        "name": name(record["id"]),
        "stem": files[".csv"].stem,
        "table": tables.extract(page, str(files[".html"])) if is_table else None,
        "picture": None if is_table else picture(files[".png"]),
        "data_label": provenance.data_label(record["data"]),
        "experiments": _words(record["experiments"]),
        "seeds": _words(record["seeds"]),
        "named_claims": record["claims"],
        "introduction": pages.introduction(pages.read_notebook(entry["executed"])),
        "links": [{"label": label, "href": pages.relative(path, output)} for label, path in links],
    }


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
