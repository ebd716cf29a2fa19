"""The tidy tables: a row per (run, step, split, group, metric); of theory, per (curve, step, group, metric).

Both are parquet. Text stays text (learning rates are tokens such as ``"0.06"``), ``value`` is float64, and a
run that diverged has ``value`` NaN and ``diverged`` True from the step on where it did.
"""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet as parquet

from muon_imbalance.errors import UserError

TEXT, INTEGER, REAL, TRUTH = "text", "integer", "real", "truth value"

COLUMNS = {
    "experiment": TEXT,
    "optimizer": TEXT,
    "phase": TEXT,
    "run": INTEGER,
    "seed": INTEGER,
    "lr": TEXT,
    "momentum": TEXT,
    "hyper": TEXT,
    "epoch": REAL,
    "step": INTEGER,
    "split": TEXT,
    "group": TEXT,
    "metric": TEXT,
    "value": REAL,
    "diverged": TRUTH,
}
THEORY_COLUMNS = {"curve": TEXT, "t": REAL, "step": INTEGER, "group": TEXT, "metric": TEXT, "value": REAL}
ALLOWED = {
    "phase": ("grid", "final"),
    "split": ("train", "validation", "test", "population"),
}


def _is(kind: str, column: pd.Series) -> bool:
    types = pd.api.types
    if kind == TEXT:
        return types.is_string_dtype(column.dtype) and not column.isna().any()
    if kind == INTEGER:
        return types.is_integer_dtype(column.dtype) and not column.isna().any()
    if kind == REAL:
        return types.is_float_dtype(column.dtype)
    return types.is_bool_dtype(column.dtype) and not column.isna().any()


def check(frame: pd.DataFrame, columns: dict[str, str], source: str) -> None:
    """Raise :class:`UserError` unless ``frame`` has exactly these columns, in this order, of these kinds."""
    if list(frame.columns) != list(columns):
        raise UserError(f"{source}: columns are {list(frame.columns)}; they must be {list(columns)}")
    for name, kind in columns.items():
        if len(frame) and not _is(kind, frame[name]):
            raise UserError(f"{source}: column {name!r} has type {frame[name].dtype}; it must be {kind} without gaps")
    for name, allowed in ALLOWED.items():
        if name in columns and (wrong := set(frame[name].unique()) - set(allowed)):
            raise UserError(f"{source}: {name} is {sorted(wrong)}; allowed: {', '.join(allowed)}")


def write(path: Path, frame: pd.DataFrame, columns: dict[str, str] = COLUMNS) -> None:
    """Check a table and write it to ``path``: complete or not at all."""
    path = Path(path)
    check(frame, columns, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        frame.to_parquet(temporary, index=False)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


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
    frames = []
    for path in map(Path, paths):
        if not path.is_file():
            raise UserError(f"table {path} does not exist")
        try:
            names = parquet.read_schema(path).names
            if names != list(columns):
                raise UserError(f"{path}: columns are {names}; they must be {list(columns)}")
            frame = parquet.read_table(path, filters=wanted or None).to_pandas()
        except pyarrow.ArrowInvalid as error:
            raise UserError(f"{path} is not a parquet table: {error}") from None
        check(frame, columns, str(path))
        frames.append(frame)
    if not frames:
        raise UserError("no table to read: the list of files is empty")
    return pd.concat(frames, ignore_index=True)


def variants(frame: pd.DataFrame) -> pd.Series:
    """Variant of the experiment that each row belongs to (a key of its column ``hyper``), "" without."""
    names = {text: json.loads(text).get("variant", "") for text in frame["hyper"].unique()}
    return frame["hyper"].map(names)


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
