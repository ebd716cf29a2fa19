"""A dataset's folder: ``arrays.npz`` and ``manifest.json``, written whole or not at all."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import UserError

ARRAYS = "arrays.npz"
MANIFEST = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # fixed time stamp inside the zip: equal arrays give equal bytes


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as an uncompressed ``.npz`` without pickle, the same bytes whenever it is written."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            with archive.open(member, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(arrays[name], order="C"), allow_pickle=False)


def read_arrays(directory: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of a dataset folder, all or those named.

    Raises:
        UserError: the folder is unfinished (no manifest), or its array file is damaged or lacks a name.
    """
    directory = Path(directory)
    path = directory / ARRAYS
    if not (directory / MANIFEST).is_file():
        raise UserError(f"{directory} is not a finished dataset: it has no {MANIFEST}; delete it and prepare it again")
    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in (held.files if names is None else names)}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); delete {directory} and prepare it again") from error


def publish(directory: Path, arrays: Mapping[str, np.ndarray], manifest: str) -> None:
    """Write arrays, then the manifest text, into a temporary sibling and rename it to ``directory``.

    What an interrupted call left behind is cleared first; an existing ``directory`` is replaced.
    """
    directory = Path(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    marker = f".{directory.name}.partial-"
    for leftover in directory.parent.glob(f"{marker}*"):
        shutil.rmtree(leftover)
    work = Path(tempfile.mkdtemp(prefix=marker, dir=directory.parent))
    try:
        new = work / "new"
        new.mkdir()
        write_arrays(new / ARRAYS, arrays)
        (new / MANIFEST).write_text(manifest, encoding="utf-8")
        if directory.exists():
            os.replace(directory, work / "old")
        os.replace(new, directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)
