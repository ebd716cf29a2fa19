"""A data set's folder: ``arrays.npz`` and ``manifest.json``, written whole or not at all."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import UserError, refusal
from muon_imbalance.common.files import replacing_folder

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
    """Arrays of a data set's folder, all or those named.

    Raises:
        UserError: the folder is unfinished (no manifest), or its array file is damaged or lacks a name.
    """
    directory = Path(directory)
    path = directory / ARRAYS
    if not (directory / MANIFEST).is_file():
        raise UserError(f"{directory} is not a finished data set: it has no {MANIFEST}; delete it and build it again")
    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in (held.files if names is None else names)}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); delete {directory} and build it again") from error


def publish(directory: Path, arrays: Mapping[str, np.ndarray], manifest: str) -> None:
    """Write arrays, then the manifest text, into a temporary sibling and rename it to ``directory``.

    What an interrupted call left behind is removed first; an existing ``directory`` is replaced.
    """
    with replacing_folder(directory) as new:
        write_arrays(new / ARRAYS, arrays)
        (new / MANIFEST).write_text(manifest, encoding="utf-8")


def counts(numbers: np.ndarray, names: Sequence[str] = ()) -> dict[str, int]:
    """``all`` and each name -> how many of ``numbers [n]`` there are; without names, ``class_0``, ``class_1`` ..."""
    each = np.bincount(numbers, minlength=len(names)).tolist()
    return {"all": sum(each)} | dict(zip(names or [f"class_{c}" for c in range(len(each))], each, strict=True))


def read_split(
    owner: str,
    path: Path,
    splits: Sequence[str],
    split: str,
    repetitions: Sequence[int],
    names: Sequence[str] | Mapping[str, str],
    repeated: str = "",
) -> dict[str, np.ndarray]:
    """Arrays of a data set that a request for a split and repetitions needs, which is checked.

    Args:
        names: of the arrays, or what each is called in the result -> its name.
        repeated: one of ``names``, whose leading axis are the repetitions; left out: all repetitions are the same.

    Raises:
        UserError: unknown split or repetition, or an unfinished or damaged folder.
    """
    check_request(owner, split, splits)
    names = names if isinstance(names, Mapping) else dict(zip(names, names, strict=True))
    held = read_arrays(path, list(names.values()))
    check_request(owner, split, splits, repetitions, len(held[repeated]) if repeated else None)
    return {key: held[name] for key, name in names.items()}


def read_same(
    owner: str, path: Path, splits: Sequence[str], split: str, repetitions: Sequence[int], *names: str
) -> dict[str, np.ndarray]:
    """``{split}_{name}`` under its name, with a leading axis of length 1: the same in every repetition.

    Raises:
        UserError: as of :func:`read_split`.
    """
    held = read_split(owner, path, splits, split, repetitions, {name: f"{split}_{name}" for name in names})
    return {name: array[None] for name, array in held.items()}


def check_request(
    owner: str, split: str, splits: Sequence[str], repetitions: Sequence[int] = (0,), count: int | None = None
) -> None:
    """Refuse a split or repetitions that a data set does not hold.

    Args:
        count: number of repetitions; left out: any number can be had, as all are the same.

    Raises:
        UserError: naming what there is.
    """
    if split not in splits:
        raise refusal(owner, "split", split, ", ".join(splits))
    if not len(repetitions) or min(repetitions) < 0 or (count is not None and max(repetitions) >= count):
        last = "" if count is None else f" to {count - 1}"
        raise refusal(owner, "repetitions", list(repetitions), f"one or more of 0{last}")
