"""Stage: pick the grid cell that is trained with all seeds and write the selection file."""

import argparse
import json
import logging
from pathlib import Path

from muon_imbalance.analysis import runs
from muon_imbalance.analysis.arguments import json_argument
from muon_imbalance.analysis.selection import CONTRACT, select
from muon_imbalance.errors import run_stage
from muon_imbalance.progress import start_logging

log = logging.getLogger("muon_imbalance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", type=Path, required=True, help="runs table with the rows of the grid phase")
    parser.add_argument("--rule", required=True, help="JSON: metric, split, group, at (end | best), goal (max | min)")
    parser.add_argument("--grid-values", required=True, help="JSON: swept key -> list of text tokens")
    parser.add_argument("--output", type=Path, required=True, help="selection file to write (JSON)")
    arguments = parser.parse_args()
    start_logging()
    frame = runs.read([arguments.grid], phase="grid")
    chosen = select(
        frame, json_argument(arguments.rule, "--rule"), json_argument(arguments.grid_values, "--grid-values")
    )
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    contract = {key: chosen[key] for key in CONTRACT}
    arguments.output.write_text(json.dumps(contract, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    log.info(
        f"selected {chosen['hyper']} with score {chosen['score']:.4g} from\n{chosen['table'].to_string(index=False)}"
    )
    for key, side in chosen["edge"].items():
        if side:
            log.info(f"note: {key} = {chosen['hyper'][key]} is on the {side} border of its grid")


if __name__ == "__main__":
    run_stage(main)
