"""CIFAR-10: 50,000 + 10,000 colour pictures of ten classes, from a package, the official host or a user's folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data import sources
from muon_imbalance.data.photos import cifar_format
from muon_imbalance.data.sources.digest import arrays_sha256

PARTS = [f"train_{part}" for part in range(1, 6)]
SHA256 = "3ecfbb5f2aa86b70309822c6c63428cfa3a734c1525c43ebdb79964806d765f0"
"""Of the arrays, whatever files they came from."""

describe, load = cifar_format.describe, cifar_format.load


class Options(Settings):
    """CIFAR-10: 50,000 + 10,000 colour pictures of ten classes."""

    source: Literal["cifar10_npm", "cifar10_torchvision", "cifar10_folder"] = Field(
        "cifar10_npm", description="a package, the official host, or the files in data_dir"
    )


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ``train_images [50000, 32, 32, 3]``, ``train_labels [50000]``, ``test_images``, ``test_labels``; all uint8.

    Raises:
        UserError: content that is not CIFAR-10's, in its order.
    """
    source = sources.get(checked(Options, config, "cifar10").source)
    files, _ = source.files(inputs)
    arrays = _package(files) if source.ecosystem == "npm" else _official(files)
    if (found := arrays_sha256(arrays)) != SHA256:
        raise UserError(
            f"cifar10: sha256 of the pictures and labels is {found}, expected {SHA256} (source {source.name})"
        )
    cifar_format.write(out, arrays, source, 10)


def _package(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Sheets with one picture a row (PNG), labels as JSON lists."""
    from PIL import Image  # not needed where the data set is only read

    def sheet(path: Path) -> np.ndarray:
        with path.open("rb") as stream, Image.open(stream, formats=["PNG"]) as opened:
            return np.asarray(opened.convert("RGB")).reshape(-1, cifar_format.SIDE, cifar_format.SIDE, 3)

    labels = {
        split: np.array(json.loads(files[f"{split}_labels"].read_bytes()), np.uint8) for split in cifar_format.SPLITS
    }
    return {
        "train_images": np.concatenate([sheet(files[part]) for part in PARTS]),
        "train_labels": labels["train"],
        "test_images": sheet(files["test"]),
        "test_labels": labels["test"],
    }


def _official(files: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Official files, "python version"."""
    train = [cifar_format.read_batch(files[part], "labels") for part in PARTS]
    images, labels = (np.concatenate(column) for column in zip(*train, strict=True))
    test_images, test_labels = cifar_format.read_batch(files["test"], "labels")
    return {"train_images": images, "train_labels": labels, "test_images": test_images, "test_labels": test_labels}
