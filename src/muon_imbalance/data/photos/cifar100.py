"""CIFAR-100: 50,000 + 10,000 colour pictures of a hundred classes, from the official host or a user's folder."""

from collections.abc import Mapping
from pathlib import Path

from muon_imbalance.data import sources
from muon_imbalance.data.photos import cifar_format
from muon_imbalance.data.photos.cifar_format import describe, load  # noqa: F401 (a builder offers them)
from muon_imbalance.data.sources import verified
from muon_imbalance.data.store.options import Options

DEFAULTS = {"source": "cifar100_torchvision"}
SOURCES = ("cifar100_torchvision", "cifar100_folder")


def build(config: dict, sources_by_role: Mapping[str, Path], out: Path) -> None:
    """Write ``train_images [50000, 32, 32, 3]``, ``train_labels [50000]``, ``test_images``, ``test_labels``; all uint8.

    Args:
        config: ``source``: ``cifar100_torchvision`` or ``cifar100_folder``.
        sources_by_role: ``train`` and ``test``, the official files ("python version").
        out: folder to write.

    Raises:
        UserError: bad config, missing files, or other content than the official one.
    """
    options = Options("cifar100", config, DEFAULTS)
    source = sources.get(options.choice("source", SOURCES))
    files, _ = verified.files(source, sources_by_role)
    arrays = {}
    for split in cifar_format.SPLITS:
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = cifar_format.read_batch(files[split], "fine_labels")
    cifar_format.write(out, arrays, source, options.values, 100)
