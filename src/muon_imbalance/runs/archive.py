"""An archive of a run: its tables in a compact form, so that figures and verdicts can be made again without training.

``<folder>/runs/<experiment>/<optimizer>.<shard>.parquet, theory/<experiment>.parquet, datasets/<name>/manifest.json,
claims.json, thumbnails/<figure>.jpg, provenance.json``. Numbers are those of the run, bit for bit.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as parquet
from PIL import Image

from muon_imbalance.common.files import replacing
from muon_imbalance.runs import tables
from muon_imbalance.runs.columns import COLUMNS

WIDTH = 420
"""Pixels of a thumbnail."""


def compact(source: Path, target: Path, columns: dict[str, str] = COLUMNS) -> None:
    """The same table in fewer bytes: bytes of equal weight together, then compressed (a third of the size)."""
    table = tables.read(source, columns)
    texts = [name for name, kind in columns.items() if kind != "real"]
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as work:
        parquet.write_table(
            table,
            work,
            compression="zstd",
            compression_level=19,
            use_dictionary=texts,
            column_encoding={name: "BYTE_STREAM_SPLIT" for name in columns if name not in texts},
        )


def copied(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Copy files, making their folders."""
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def thumbnail(source: Path, target: Path) -> None:
    """A small picture of a figure."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        small = picture.convert("RGB")
        small.thumbnail((WIDTH, 4 * WIDTH))
        small.save(target, quality=72, optimize=True)
