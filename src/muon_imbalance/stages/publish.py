"""Stage: write the report from the figures and the judged claims.

``python -m muon_imbalance.stages.publish --claims results/laptop/claims.json --figures JSON --scale laptop
--audit claims/audit.yaml --output results/laptop/report/index.html``

``--figures`` maps ids, in the order of the report, to ``{"files": [figures/fig_01_x.pdf, ...], "executed":
"results/laptop/notebooks/fig_01_x.ipynb", "log": "logs/laptop/render/fig_01.log"}``. The executed notebooks
become pages in the folder ``notebooks/`` beside the report; pages of notebooks no longer shown are removed.
``--audit`` adds the page ``audit.html``.
"""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path

from muon_imbalance.analysis.claims import audit as audits
from muon_imbalance.common.arguments import as_json
from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.files import write_text
from muon_imbalance.common.progress import start_logging
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.reporting.site import audit_page, figure_section, index_page, pages, verdicts

log = logging.getLogger("muon_imbalance")


class Files(Settings):
    """What ``--figures`` says of a figure or table."""

    files: list[str] = Field(description="its files")
    executed: str = Field(description="its notebook, as run")
    log: str = Field(description="log of rendering it")


def publish(
    claims: Path,
    figures: Mapping[str, Mapping],
    output: Path,
    *,
    scale: str,
    command: str = "",
    scale_note: str = "",
    audit: Path | None = None,
) -> list[Path]:
    """Write the pages of the notebooks and the report; nothing is written before all of it is made.

    ``command``: what remakes it all, ``make paper SCALE=<scale>`` unless said otherwise.

    Raises:
        UserError: a figure, notebook or claim is missing or broken.
    """
    for identifier, entry in figures.items():
        checked(Files, entry, f"--figures: {identifier}")
    folder = output.parent / "notebooks"
    made: dict[Path, str] = {}
    shown = []
    for identifier, entry in figures.items():
        target = folder / f"{Path(entry['executed']).stem}.html"
        part = figure_section.figure(entry, scale, output, target)
        if part["id"] != identifier:
            raise UserError(f"--figures: the files of {identifier} belong to {part['id']}")
        made[target] = pages.page(
            pages.read_notebook(entry["executed"]),
            title=f"{part['name']}: {part['title']}",
            scale=scale,
            back=f"{pages.relative(output, target)}#{part['id']}",
            download=pages.relative(entry["executed"], target),
            name=f"the page of {entry['executed']}",
        )
        shown.append(part)
    judged = verdicts.read_claims(claims)
    if audit is not None:
        content, target = audits.read(audit), output.parent / "audit.html"
        audits.check_references(content, [claim["id"] for claim in judged], list(figures))
        made[target] = audit_page.page(content, judged, list(figures), scale=scale, back=output, output=target)
    made[output] = index_page.index(
        shown,
        judged,
        scale=scale,
        command=command or f"make paper SCALE={scale}",
        scale_note=scale_note,
        audit="audit.html" if audit else None,
    )
    for path, text in made.items():
        write_text(path, text)
    for stale in set(folder.glob("*.html")) - set(made):
        stale.unlink()
    return list(made)


def main() -> None:
    """Read the command line and publish."""
    parser = argparse.ArgumentParser(description="Write the report.")
    parser.add_argument("--claims", required=True, type=Path, help="claims.json written by the stage judge")
    parser.add_argument("--figures", required=True, type=as_json("--figures"), help="JSON, or @file: see above")
    parser.add_argument("--scale", required=True, help="smoke, laptop, reference or paper")
    parser.add_argument("--scale-note", default="", help="what a reader should know of this scale")
    parser.add_argument("--audit", type=Path, help="audit file (YAML), for the page audit.html")
    parser.add_argument("--output", required=True, type=Path, help="path of index.html")
    options = parser.parse_args()
    start_logging()
    written = publish(**vars(options))
    log.info(f"report: {options.output} and {len(written) - 1} more pages")


if __name__ == "__main__":
    run_stage(main)
