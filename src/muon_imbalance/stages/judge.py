"""Stage: judge the paper's claims on the runs at hand and write ``claims.json``."""

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from muon_imbalance.analysis.claims import claim_records, judging
from muon_imbalance.analysis.claims.comparators import FAILS
from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.common.arguments import as_json
from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.files import write_json
from muon_imbalance.common.progress import start_logging
from muon_imbalance.runs import frames

log = logging.getLogger("muon_imbalance")
SAMPLED = "generated"
JSON_OPTIONS = {
    "--runs": "list of runs tables",
    "--theory": "table of closed forms",
    "--experiments": "its entry in the configuration",
    "--manifests": "manifest of its data set, or null without one",
    "--own": "optimizers of the user's own, judged beside the paper's",
}
NO_DATA = "population"  # data kind of an experiment without a data set: exact moments, no sample


def data_kind(experiment: str, manifests: dict[str, str | None], settings: dict[str, dict] | None = None) -> str | None:
    """Kind of an experiment's data: from its manifest, None if it was not run; without a manifest ``population``,
    or ``generated`` where a table of closed forms draws samples itself.
    """
    if experiment not in manifests:
        return None
    path = manifests[experiment]
    if path is None:
        theory = (settings or {}).get(experiment, {}).get("theory", {})
        return SAMPLED if theory.get("sampled") else NO_DATA
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))["kind"]
    except (OSError, json.JSONDecodeError, KeyError) as error:
        raise UserError(f"manifest {path} of {experiment} cannot be read: {error!r}") from None


def joined(kinds: Iterable[str | None]) -> str | None:
    """The kind of several experiments' data, or their kinds in order."""
    return ", ".join(dict.fromkeys(filter(None, kinds))) or None


def gather(name: str, tables: dict, settings: dict, theory: dict) -> Experiment:
    """An experiment's evidence from its files."""
    return Experiment(
        name,
        frame=frames.read(tables[name]) if tables.get(name) else None,
        settings=settings.get(name),
        theory=frames.read([theory[name]], columns=frames.THEORY_COLUMNS) if name in theory else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars="@")
    add = parser.add_argument
    add("--claims", type=Path, required=True, help="folder of claim files")
    for option, text in JSON_OPTIONS.items():
        add(option, type=as_json(option), required=option == "--runs", default={}, help=f"JSON: experiment -> {text}")
    add("--scale", required=True, help="smoke, laptop, reference or paper")
    add("--figures", type=as_json("--figures", list, dict), help="JSON: ids of the figures of this run; default: all")
    add("--output", type=Path, required=True, help="records to write (JSON)")
    add("--strict", action="store_true", help="exit with status 1 if a statement of a paper (id C, L, T or P) fails")
    arguments = parser.parse_args()
    start_logging()
    settings, scale, figures = arguments.experiments, arguments.scale, arguments.figures
    stated = claim_records.read_all(arguments.claims, arguments.own)
    names = dict.fromkeys(name for claim in stated for name in claim.experiments)
    evidence = {name: gather(name, arguments.runs, settings, arguments.theory) for name in names}
    kinds = {name: data_kind(name, arguments.manifests, settings) for name in names}
    records = [
        judging.judge(claim, evidence, scale, joined(kinds[name] for name in claim.experiments), figures)
        for claim in stated
    ]
    write_json(arguments.output, records, ensure_ascii=False)
    for record in records:
        log.info(f"{record['id']:24} {record['verdict']:13} {record['note']}")
    log.info(", ".join(f"{verdict} {count}" for verdict, count in Counter(r["verdict"] for r in records).items()))
    stated_by_the_paper = [record for record in records if record["kind"] == "paper" and not record["variant"]]
    failing = [r["id"] for r in stated_by_the_paper if r["verdict"] == FAILS]
    if arguments.strict and failing:
        print(f"claims that fail: {', '.join(failing)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run_stage(main)
