"""Stage: build the folder of one data set, from downloaded files or from other data sets.

``python -m muon_imbalance.stages.build_dataset --name colored_mnist --builder colored_mnist --config '{"train": 20000}'
--inputs '{"mnist": "data/datasets/laptop/mnist"}' --output data/datasets/laptop/colored_mnist``
"""

import argparse
import logging
import time
from pathlib import Path

from muon_imbalance.common.arguments import json_argument
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
    parser.add_argument("--name", required=True, help="name of the data set, for messages")
    parser.add_argument(
        "--builder", required=True, help=", ".join(registry.BUILDERS.names()) + ", or a module of yours"
    )
    parser.add_argument("--config", default="{}", help="the builder's options (JSON object)")
    parser.add_argument("--inputs", default="{}", help="JSON object: name -> download stamp or folder of a data set")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    given = parser.parse_args(arguments)
    start_logging()
    began = time.monotonic()
    module = registry.module(given.builder)
    config, inputs = json_argument(given.config, "--config"), json_argument(given.inputs, "--inputs")
    with within(f"data set {given.name}"):
        module.build(config, _files(inputs), given.output)
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
            raise UserError(
                f"--inputs: {name} = {place!r} is not there; allowed: a download stamp or the folder of a data set"
            )
    return found


if __name__ == "__main__":
    run_stage(main)
