"""CIFAR-100: 50,000 + 10,000 colour pictures of a hundred classes, from the official host or a user's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data import sources
from muon_imbalance.data.photos import cifar_format

describe, load = cifar_format.describe, cifar_format.load


class Options(Settings):
    """CIFAR-100: 50,000 + 10,000 colour pictures of a hundred classes."""

    source: Literal["cifar100_torchvision", "cifar100_folder"] = Field(
        "cifar100_torchvision", description="official host, or the files in data_dir"
    )


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ``train_images [50000, 32, 32, 3]``, ``train_labels [50000]``, ``test_images``, ``test_labels``; all uint8.

    ``inputs``: ``train`` and ``test``, the official files ("python version").
    """
    source = sources.get(checked(Options, config, "cifar100").source)
    files, _ = source.files(inputs)
    arrays = {}
    for split in cifar_format.SPLITS:
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = cifar_format.read_batch(files[split], "fine_labels")
    cifar_format.write(out, arrays, source, 100)
