"""Stage: closed forms, flows and bounds of the linear model, as a theory table.

``python -m muon_imbalance.stages.solve --name NAME --config JSON [--data FOLDER] --output FILE.parquet`` with the
config ``{"table": NAME, ...}`` of a module of :mod:`muon_imbalance.theory.tables`, or, without ``table``, of
:mod:`muon_imbalance.theory.tables.curves`. The columns are curve, t, step, group, metric, value.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from muon_imbalance.common.arguments import json_argument
from muon_imbalance.common.errors import run_stage, within
from muon_imbalance.common.files import replacing
from muon_imbalance.common.settings import checked
from muon_imbalance.theory import tables
from muon_imbalance.theory.tables import curves  # noqa: F401  (the table of a config that names none)


def table(config: Mapping[str, Any], data: Path | None = None, name: str = "theory") -> pd.DataFrame:
    """The theory table of a config.

    Args:
        data: folder of the data set that the table reads, if it reads one.
        name: of the table, for messages.

    Raises:
        UserError: the config is wrong, or does not fit the data.
    """
    chosen = config.get("table", tables.DEFAULT)
    given = {key: value for key, value in config.items() if key != "table"}
    options = checked(tables.options(chosen, data is not None), given, name)
    with within(name):
        return tables.TABLES.load(chosen).table(options, data)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, solve, and write the table (complete or not at all)."""
    parser = argparse.ArgumentParser(description="Write closed forms of the linear model as a theory table.")
    parser.add_argument("--name", required=True, help="name of the table, for messages")
    parser.add_argument("--config", required=True, help="JSON: options of the table, with its name under 'table'")
    parser.add_argument("--data", type=Path, help="folder of the data set that the table reads")
    parser.add_argument("--output", required=True, type=Path, help="the .parquet file to write")
    given = parser.parse_args(arguments)
    made = table(json_argument(given.config, f"{given.name}: --config"), given.data, given.name)
    with replacing(given.output) as work:
        made.to_parquet(work, index=False)


if __name__ == "__main__":
    run_stage(main)
