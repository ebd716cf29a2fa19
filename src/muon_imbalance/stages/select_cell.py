"""Stage: pick the grid cell that is trained with all seeds (of each variant) and write the selection file."""

import argparse
import logging
from functools import partial
from pathlib import Path

from muon_imbalance.analysis.selection import CONTRACT, select
from muon_imbalance.common.arguments import as_json
from muon_imbalance.common.errors import run_stage
from muon_imbalance.common.files import write_json
from muon_imbalance.common.progress import start_logging
from muon_imbalance.runs import frames

log = logging.getLogger("muon_imbalance")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = partial(parser.add_argument, required=True)
    add("--grid", type=Path, nargs="+", help="runs tables with the rows of the grid phase")
    add("--rule", type=as_json("--rule"), help="JSON: metric, split, group, at (end | best), goal (max | min)")
    add("--grid-values", type=as_json("--grid-values"), help="JSON: swept key -> list of text tokens")
    add("--output", type=Path, help="selection file to write (JSON)")
    arguments = parser.parse_args()
    start_logging()
    frame = frames.read(arguments.grid, phase="grid")
    variant = frames.variants(frame)
    chosen = {name: select(frame[variant == name], arguments.rule, arguments.grid_values) for name in variant.unique()}
    contract = {name: {key: one[key] for key in CONTRACT} for name, one in chosen.items()}
    write_json(arguments.output, contract[""] if "" in contract else {"variants": contract})
    for name, one in chosen.items():
        table = one["table"].to_string(index=False)
        log.info(f"{name or 'selected'}: {one['hyper']} with score {one['score']:.4g} from\n{table}")
        for key, side in one["edge"].items():
            if side:
                log.info(f"note: {key} = {one['hyper'][key]} is on the {side} border of its grid")


if __name__ == "__main__":
    run_stage(main)
