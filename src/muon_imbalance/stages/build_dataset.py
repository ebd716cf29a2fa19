"""Stage: build one dataset folder from fetched files or from another dataset.

``python -m muon_imbalance.stages.build_dataset --name colored_mnist --builder colored_mnist --config '{"train": 20000}'
--inputs '{"mnist": "data/datasets/laptop/mnist"}' --output data/datasets/laptop/colored_mnist``
"""

import argparse
import json
import logging
import time
from pathlib import Path

from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.progress import duration, start_logging
from muon_imbalance.data import registry
from muon_imbalance.data.sources import stamps
from muon_imbalance.data.store import manifest

log = logging.getLogger("muon_imbalance")


def main(arguments: list[str] | None = None) -> None:
    """Parse arguments, build and verify the dataset.

    Raises:
        UserError: unreadable JSON, missing inputs, or anything the builder refuses.
    """
    parser = argparse.ArgumentParser(description="Build one dataset folder.")
    parser.add_argument("--name", required=True, help="dataset name, for messages")
    parser.add_argument("--builder", required=True, help=", ".join(sorted(registry.BUILDERS)))
    parser.add_argument("--config", default="{}", help="the builder's config (JSON object)")
    parser.add_argument("--inputs", default="{}", help="JSON object: name -> download stamp or dataset folder")
    parser.add_argument("--output", required=True, type=Path, help="folder to write")
    given = parser.parse_args(arguments)
    start_logging()
    began = time.monotonic()
    module = registry.module(given.builder)
    config, inputs = _object("--config", given.config), _object("--inputs", given.inputs)
    module.build(config, _sources(inputs), given.output)
    held = manifest.verify(given.output)
    sizes = ", ".join(f"{split} {counts['all']:,}" for split, counts in held["counts"].items())
    log.info(f"{given.name}: {held['label']}: {sizes} ({duration(time.monotonic() - began)})")


def _object(option: str, text: str) -> dict:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UserError(f"{option} is not JSON ({error}): {text[:80]!r}") from error
    if not isinstance(value, dict):
        raise UserError(f"{option} = {text[:80]!r}; allowed: a JSON object")
    return value


def _sources(inputs: dict[str, str]) -> dict[str, Path]:
    """Dataset folders under their names; a stamp is replaced by the files it names, under their roles."""
    found: dict[str, Path] = {}
    for name, place in inputs.items():
        path = Path(place)
        if path.is_dir():
            found[name] = path
        elif path.is_file():
            found |= stamps.read(path)
        else:
            raise UserError(f"--inputs: {name} = {place!r} is not there; allowed: a download stamp or a dataset folder")
    return found


if __name__ == "__main__":
    run_stage(main)
