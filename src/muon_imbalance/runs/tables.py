"""Files of tidy tables: a row per (run, step, split, group, metric); of theory, per (curve, step, group, metric).

Both are parquet. Text stays text (learning rates are tokens such as ``"0.06"``), ``value`` is float64, and a
run that diverged has ``value`` NaN and ``diverged`` True from the step on where it did. Training imports this
module; pandas, which takes half a second, is left to :mod:`muon_imbalance.runs.frames`.
"""

from pathlib import Path

import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet as parquet

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import replacing
from muon_imbalance.runs.columns import ALLOWED, COLUMNS, INTEGER, REAL, TEXT, THEORY_COLUMNS, TRUTH

__all__ = ["ALLOWED", "COLUMNS", "THEORY_COLUMNS", "check", "read", "write"]

_TYPES = {
    TEXT: lambda kind: pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind),
    INTEGER: pyarrow.types.is_integer,
    REAL: pyarrow.types.is_floating,
    TRUTH: pyarrow.types.is_boolean,
}


def check(table: pyarrow.Table, columns: dict[str, str], source: str) -> None:
    """Raise :class:`UserError` unless ``table`` has exactly these columns, in this order, of these kinds.

    Only real numbers may be missing.
    """
    if table.column_names != list(columns):
        raise UserError(f"{source}: columns are {table.column_names}; they must be {list(columns)}")
    for name, kind in columns.items():
        column = table[name]
        if len(column) and not (_TYPES[kind](column.type) and (kind == REAL or not column.null_count)):
            raise UserError(f"{source}: column {name!r} has type {column.type}; it must be {kind} without gaps")
    for name, allowed in ALLOWED.items():
        if name in columns and (wrong := set(compute.unique(table[name]).to_pylist()) - set(allowed)):
            raise UserError(f"{source}: {name} is {sorted(wrong)}; allowed: {', '.join(allowed)}")


def write(path: Path, table: pyarrow.Table, columns: dict[str, str] = COLUMNS) -> None:
    """Check a table and write it to ``path``: complete or not at all."""
    path = Path(path)
    check(table, columns, str(path))
    with replacing(path) as work:
        parquet.write_table(table, work)


def read(path: Path, columns: dict[str, str] = COLUMNS, filters: list | None = None) -> pyarrow.Table:
    """The rows of one file that pass ``filters`` (as ``pyarrow.parquet.read_table`` takes them).

    Raises:
        UserError: the file is missing, unreadable or of the wrong shape.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"table {path} does not exist")
    try:
        names = parquet.read_schema(path).names
        if names != list(columns):
            raise UserError(f"{path}: columns are {names}; they must be {list(columns)}")
        table = parquet.read_table(path, filters=filters)
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path} is not a parquet table: {error}") from None
    check(table, columns, str(path))
    return table
