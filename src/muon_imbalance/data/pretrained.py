"""Weights of a network trained elsewhere, kept like a data set: one array per tensor, under our modules' names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from muon_imbalance.data import manifest, sources
from muon_imbalance.data.digest import file_sha256
from muon_imbalance.data.options import Options, check_request
from muon_imbalance.data.store import read_arrays
from muon_imbalance.errors import UserError
from muon_imbalance.models import efficientnet_lite, pretrained

DEFAULTS = {"source": "efficientnet_lite0", "size": "tiny", "seed": 0}
RANDOM = "random"
SPLIT = "weights"


def build(config: dict, sources_by_role: Mapping[str, Path], out: Path) -> None:
    """Write every parameter and running statistic as an array.

    Args:
        config: ``source``, one of :data:`muon_imbalance.models.pretrained.NAMES`, or ``random``: an untrained
            EfficientNet-Lite of this ``size``, drawn with this ``seed`` (both count for ``random`` only).
        sources_by_role: ``{weights: file}`` of the source.
        out: folder to write.

    Raises:
        UserError: bad config, no file, or content other than the recorded one.
    """
    options = Options("pretrained", config, DEFAULTS)
    name = options.choice("source", (*pretrained.NAMES, RANDOM))
    if name == RANDOM:
        size, seed = options.choice("size", tuple(efficientnet_lite.SIZES)), options.integer("seed", 0)
        module = efficientnet_lite.EfficientNetLite(size=size)
        efficientnet_lite.initial(module, torch.Generator().manual_seed(seed))
        tensors = module.state_dict()
        facts = {
            "name": RANDOM,
            "kind": "generated",
            "label": "untrained weights",
            "source": {"name": RANDOM},
            "licence": "none: generated",
            "citation": "none: generated",
            "config": {"source": name, "size": size, "seed": seed},
        }
    else:
        source = sources.get(name)
        if SPLIT not in sources_by_role:
            raise UserError(f"pretrained: source {name} gave no file for {SPLIT}")
        path, expected = Path(sources_by_role[SPLIT]), source.members[SPLIT][1]
        if (found := file_sha256(path)) != expected:
            raise UserError(f"pretrained: {path}: sha256 is {found}, expected {expected} (source {name})")
        tensors = pretrained.read(path, name)
        facts = {
            "name": source.dataset,
            "kind": source.kind,
            "label": source.label,
            "source": source.provenance(),
            "licence": source.licence,
            "citation": source.citation,
            "config": {"source": name},
        }
    manifest.write(out, {key: tensor.numpy() for key, tensor in tensors.items()}, facts | {"builder": "pretrained"})


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Numbers held (``all``) and how many of them are trained (``parameters``); their mean and standard deviation."""
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    trained = [array.ravel() for name, array in arrays.items() if not name.endswith(statistics)]
    total, count = sum(array.size for array in arrays.values()), sum(array.size for array in trained)
    mean = sum(float(array.sum(dtype=np.float64)) for array in trained) / count
    square = sum(float((array.astype(np.float64) ** 2).sum()) for array in trained) / count
    return {
        "counts": {SPLIT: {"all": total, "parameters": count}},
        "shape": [count],
        "mean": mean,
        "std": (square - mean**2) ** 0.5,
    }


def load(path: Path, split: str = SPLIT, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """All arrays by name.

    Raises:
        UserError: another split, or the folder is not a finished dataset.
    """
    check_request("pretrained", split, (SPLIT,), repetitions, max(repetitions, default=0) + 1)
    return read_arrays(path)
