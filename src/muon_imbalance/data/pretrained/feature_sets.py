"""Data sets of features: what the lower, frozen part of a pretrained network makes of every sample.

Arrays, for splits train, validation and test: ``{split}_features [n, ...]``, ``{split}_label [n]``, ``{split}_group
[n]``; ``groups [G]`` their names; ``weight/<name>`` the pretrained weights of the upper part, which is trained.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.data.store.array_files import check_request, counts, read_arrays, read_same

SPLITS = ("train", "validation", "test")
PREFIX = "weight/"


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and group; shape of a sample's features; their mean and standard deviation in training."""
    features, total, squares = arrays["train_features"], 0.0, 0.0
    for part in np.array_split(features, 32):
        wide = part.astype(np.float64)
        total, squares = total + float(wide.sum()), squares + float((wide**2).sum())
    mean = total / features.size
    std = max(squares / features.size - mean**2, 0.0) ** 0.5
    found = {split: counts(arrays[f"{split}_group"], arrays["groups"].tolist()) for split in SPLITS}
    return {"counts": found, "shape": list(features.shape[1:]), "mean": mean, "std": std}


def facts(owner: str, samples: Mapping, pretrained: Mapping, detail: str, config: Mapping) -> dict:
    """What the manifest says, from those of the samples and of the pretrained weights; ``detail`` ends the label."""
    return {
        "kind": samples["kind"],
        "label": f"{samples['label']} / {pretrained['label']}{detail}",
        "source": {
            "samples_sha256": samples["sha256"],
            "weights_sha256": pretrained["sha256"],
            "samples": samples["source"],
            "weights": pretrained["source"],
        },
        "licence": f"samples: {samples['licence']}; weights: {pretrained['licence']}",
        "citation": f"{samples['citation']} Weights: {pretrained['citation']}",
        "builder": owner,
        "config": dict(config),
    }


def load(owner: str, path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """``features [1, n, ...]``, ``label [1, n]``, ``group [1, n]``: the same in every repetition; ``groups [G]``."""
    found = read_same(owner, path, SPLITS, split, repetitions, "features", "label", "group")
    return found | read_arrays(path, ["groups"])


def described_weights(tensors: Collection[np.ndarray], held: int | None = None) -> dict:
    """Number of trained weights (and of all that are ``held``, if given), their mean and standard deviation."""
    tensors = [tensor.ravel() for tensor in tensors]
    count = sum(array.size for array in tensors)
    mean = sum(float(array.sum(dtype=np.float64)) for array in tensors) / count
    square = sum(float((array.astype(np.float64) ** 2).sum()) for array in tensors) / count
    found = {"all": count} if held is None else {"all": held, "parameters": count}
    return {"counts": {"weights": found}, "shape": [count], "mean": mean, "std": (square - mean**2) ** 0.5}


def load_weights(owner: str, path: Path, split: str = "weights", repetitions: Sequence[int] = (0,)) -> dict:
    """All arrays of a data set that is a network's weights, by name."""
    check_request(owner, split, ("weights",), repetitions)
    return read_arrays(path)


def stored_weights(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of a network as arrays of a data set, apart from its others."""
    return {PREFIX + name: array for name, array in tensors.items()}


def weights(path: Path) -> dict[str, np.ndarray]:
    """Weights that :func:`stored_weights` put there, by the names of the network's module."""
    return {name.removeprefix(PREFIX): array for name, array in read_arrays(path).items() if name.startswith(PREFIX)}
