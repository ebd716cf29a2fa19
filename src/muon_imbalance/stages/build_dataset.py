"""Stage: build the folder of one data set, from downloaded files or from other data sets.

``python -m muon_imbalance.stages.build_dataset --name colored_mnist --builder colored_mnist --config '{"train": 20000}'
--inputs '{"mnist": "data/datasets/laptop/mnist"}' --output data/datasets/laptop/colored_mnist``
"""

import argparse
import logging
import time
from pathlib import Path

from muon_imbalance.common.arguments import as_json
from muon_imbalance.common.errors import UserError, run_stage, within
from muon_imbalance.common.progress import duration, start_logging
from muon_imbalance.data import registry
from muon_imbalance.data.sources import stamps
from muon_imbalance.data.store import manifest

log = logging.getLogger("muon_imbalance")


def main(arguments: list[str] | None = None) -> None:
    """Parse arguments, build and verify the data set.

    Raises:
        UserError: unreadable JSON, missing inputs, or anything the builder refuses.
    """
    parser = argparse.ArgumentParser(description="Build the folder of one data set.")
    add, names = parser.add_argument, ", ".join(registry.BUILDERS.names())
    add("--name", required=True, help="name of the data set, for messages")
    add("--builder", required=True, help=f"{names}, or a module of yours")
    add("--config", type=as_json("--config"), default={}, help="the builder's options (JSON object)")
    add("--inputs", type=as_json("--inputs"), default={}, help="JSON: name -> download stamp or folder of a data set")
    add("--output", required=True, type=Path, help="folder to write")
    given = parser.parse_args(arguments)
    start_logging()
    began = time.monotonic()
    module = registry.module(given.builder)
    with within(f"data set {given.name}"):
        module.build(given.config, _files(given.inputs), given.output)
    held = manifest.verify(given.output, module.describe)
    sizes = ", ".join(f"{split} {counts['all']:,}" for split, counts in held["counts"].items())
    log.info(f"{given.name}: {held['label']}: {sizes} ({duration(time.monotonic() - began)})")


def _files(inputs: dict[str, str]) -> dict[str, Path]:
    """Folders of data sets under their names; a stamp is replaced by the files it names, under their roles."""
    found: dict[str, Path] = {}
    for name, place in inputs.items():
        path = Path(place)
        if path.is_dir():
            found[name] = path
        elif path.is_file():
            found |= stamps.read(path)
        else:
            allowed = "a download stamp or the folder of a data set"
            raise UserError(f"--inputs: {name} = {place!r} is not there; allowed: {allowed}")
    return found


if __name__ == "__main__":
    run_stage(main)
