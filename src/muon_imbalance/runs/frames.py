"""Tidy tables as pandas frames, and the curves in them; :mod:`muon_imbalance.runs.tables` has their form."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow

from muon_imbalance.common.errors import UserError
from muon_imbalance.runs import tables
from muon_imbalance.runs.columns import COLUMNS, THEORY_COLUMNS, variants

__all__ = ["COLUMNS", "THEORY_COLUMNS", "curves", "read", "variants", "write"]


def write(path: Path, frame: pd.DataFrame, columns: dict[str, str] = COLUMNS) -> None:
    """Check a table and write it to ``path``: complete or not at all."""
    tables.write(path, pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(), columns)


def read(paths: Iterable[Path], columns: dict[str, str] = COLUMNS, **filters) -> pd.DataFrame:
    """Rows of one or several tables.

    Args:
        paths: parquet files of one kind.
        columns: ``COLUMNS`` (runs) or ``THEORY_COLUMNS``.
        **filters: column = value, or column = list of allowed values.

    Raises:
        UserError: no file given, a file missing, unreadable or of the wrong shape, an unknown filter column.
    """
    if unknown := set(filters) - set(columns):
        raise UserError(f"filter by {sorted(unknown)}: unknown column; allowed: {', '.join(columns)}")
    wanted = [(k, "in", list(v) if isinstance(v, list | tuple | set) else [v]) for k, v in filters.items()]
    frames = [tables.read(path, columns, wanted or None).to_pandas() for path in paths]
    if not frames:
        raise UserError("no table to read: the list of files is empty")
    return pd.concat(frames, ignore_index=True)


def curves(
    frame: pd.DataFrame, optimizer: str, metric: str, split: str, group: str = "all", phase: str = "final"
) -> pd.DataFrame:
    """One optimizer's curves: index ``step``, one column per seed; NaN where a run had diverged.

    Raises:
        UserError: no such rows (the message lists what is there), or two rows for one (step, seed).
    """
    chosen = frame[(frame["optimizer"] == optimizer) & (frame["phase"] == phase)]
    if chosen.empty:
        raise UserError(f"no {phase} runs of {optimizer!r}; there are {sorted(frame['optimizer'].unique())}")
    rows = chosen[(chosen["metric"] == metric) & (chosen["split"] == split) & (chosen["group"] == group)]
    if rows.empty:
        there = chosen[["metric", "split", "group"]].drop_duplicates().itertuples(index=False)
        raise UserError(
            f"{optimizer} has no {metric} ({split}, {group}); there are "
            + "; ".join(sorted(f"{row.metric} ({row.split}, {row.group})" for row in there))
        )
    if rows.duplicated(["step", "seed"]).any():
        raise UserError(f"{optimizer}, {metric} ({split}, {group}): several runs of one seed; filter the table first")
    return rows.pivot(index="step", columns="seed", values="value").sort_index()
