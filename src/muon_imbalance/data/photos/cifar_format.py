"""Labelled colour pictures of 32 x 32 pixels, the form of CIFAR: what its data sets and their stand-ins share."""

import codecs
import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import counts, read_split

SIDE = 32
SPLITS = ("train", "test")


class _Plain(pickle.Unpickler):
    """Reads dictionaries, lists, text, bytes and NumPy arrays; anything else in a file is refused."""

    def find_class(self, module: str, name: str):
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return getattr(np._core.multiarray if name == "_reconstruct" else np, name)
        if (module, name) == ("_codecs", "encode"):  # how newer Pythons write bytes in the old protocol
            return codecs.encode
        raise UserError(f"the file would load {module}.{name}, which is no part of a picture")


def read_batch(path: Path, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures ``[n, 32, 32, 3]`` and labels ``[n]``, uint8, of an official CIFAR file ("python version").

    Raises:
        UserError: it is not such a file.
    """
    try:
        entry = _Plain(io.BytesIO(Path(path).read_bytes()), encoding="latin1").load()
        pictures = np.asarray(entry["data"], np.uint8).reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pictures), np.asarray(entry[labels], np.uint8)
    except (OSError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not an official CIFAR file ({error})") from error


def write(out: Path, arrays: Mapping[str, np.ndarray], source: sources.Source, classes: int) -> None:
    """Publish a complete data set read from ``source``.

    Raises:
        UserError: pictures and labels do not fit together, or classes are not equally frequent.
    """
    for split in SPLITS:
        pictures, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        each = np.bincount(labels, minlength=classes)
        if pictures.shape != (len(labels), SIDE, SIDE, 3) or len(each) != classes or len(set(each)) > 1:
            raise UserError(
                f"{source.dataset}: {split} pictures {pictures.shape} and labels {labels.shape} of {len(each)} "
                f"classes are not [n, 32, 32, 3] and [n] with {classes} equally frequent classes"
            )
    facts = source.facts() | {"builder": source.dataset, "config": {"source": source.name}}
    manifest.write(out, arrays, facts, describe(arrays))


def moments(levels: np.ndarray, scale: float) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, in units of ``scale``, from counts of values ``[C, values]``."""
    values = np.arange(levels.shape[1]) / scale
    share = levels / levels.sum(1, keepdims=True)
    mean = share @ values
    return mean.tolist(), np.sqrt(share @ values**2 - mean**2).tolist()


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and class, shape, mean and standard deviation of each channel of training pictures in [0, 1]."""
    train = arrays["train_images"]
    levels = np.stack([np.bincount(train[..., c].ravel(), minlength=256) for c in range(3)])
    mean, std = moments(levels, 255)
    found = {split: counts(arrays[f"{split}_labels"]) for split in SPLITS}
    return {"counts": found, "shape": [3, SIDE, SIDE], "mean": mean, "std": std}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """``images [N, 32, 32, 3]`` and ``label [N]``, uint8; the same in every repetition, so no axis for it."""
    names = {"images": f"{split}_images", "label": f"{split}_labels"}
    return read_split("pictures", path, SPLITS, split, repetitions, names)
