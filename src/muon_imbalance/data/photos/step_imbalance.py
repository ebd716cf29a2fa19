"""STEP imbalance: half of the classes keep many training pictures, the others one for every ``ratio`` of those.

The parent is a data set of 32 x 32 colour pictures (CIFAR-10, CIFAR-100, or a stand-in). Training, validation and test
pictures are kept apart; validation and test have equally many of each class.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import model_validator

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.photos.cifar_format import SIDE, moments
from muon_imbalance.data.pooling import pool
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import counts, read_arrays, read_split

PARENTS = {"parent": ("cifar10", "cifar100", "digit_pairs", "fractal100")}
SPLITS = ("train", "validation", "test")


class Options(Settings):
    """STEP imbalance: half of the classes keep many training pictures, the others one for every ``ratio`` of those."""

    parent: str = Field("cifar10", min_length=1, description="data set of 32 x 32 colour pictures")
    classes: int = Field(10, ge=2, multiple_of=2, description="number of classes: the parent's, an even number")
    ratio: float = Field(20, ge=1, description="training pictures of a majority class for each one of a minority class")
    majority: int = Field(1000, ge=1, description="training pictures of each majority class")
    half: Literal["first", "even"] = Field("first", description="majority: the first classes, or those of even number")
    resolution: Literal[8, 16, 32] = Field(16, description="height and width, pixels")
    validation: int = Field(100, ge=1, description="validation pictures of each class")
    validation_from: Literal["train", "test"] = Field("train", description="the parent's pictures to validate with")
    test: int = Field(200, ge=1, description="test pictures of each class")
    repetitions: int = Field(3, ge=1, description="independent draws")
    seed: int = Field(0, ge=0, description="seed of the draws")

    @model_validator(mode="after")
    def _minority(self):
        if round(self.majority / self.ratio) < 1:
            allowed = f"at most {2 * self.majority - 1}, so that a minority class has a picture"
            raise ValueError(f"ratio = {self.ratio:g}; allowed: {allowed}")
        return self


def class_sets(config: Mapping) -> dict[str, list[int]]:
    """Classes of the majority and of the minority: the first half and the second, or even and odd numbers."""
    options = checked(Options, config, "step_imbalance")
    every = range(options.classes)
    first = every[: len(every) // 2] if options.half == "first" else every[::2]
    return {"majority": list(first), "minority": [c for c in every if c not in first]}


def classes(config: Mapping) -> int:
    """Number of classes."""
    return checked(Options, config, "step_imbalance").classes


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the pictures that are used, and which of them belong to which split of each repetition.

    Arrays, for ``R`` repetitions: ``images [N, H, W, 3]`` (sums over ``32 / resolution`` squared pixels), ``label
    [N]``, ``place [N]`` (in the parent's train pictures, then its test pictures), ``levels []`` (value of white),
    ``train_index [R, n]``, ``validation_index [R, m]``, ``test_index [1, t]`` (all into ``images``), ``mean`` and
    ``std`` ``[R, 3]`` of the training pictures. With equal ``seed`` the minority's pictures at a larger ratio are
    among those at a smaller one.
    """
    options = checked(Options, config, "step_imbalance")
    parent = parents.opened("step_imbalance", PARENTS, inputs, options.parent)["parent"]
    held = read_arrays(parent.folder)
    count = int(held["train_labels"].max()) + 1
    if options.classes != count:
        allowed = f"{count}, the number of classes of {options.parent}"
        raise refusal("step_imbalance", "classes", options.classes, allowed)
    ratio, majority, repetitions, seed = options.ratio, options.majority, options.repetitions, options.seed
    validation, test, from_test = options.validation, options.test, options.validation_from == "test"
    window, sets = SIDE // options.resolution, class_sets(config)
    train = {c: majority if c in sets["majority"] else round(majority / ratio) for c in range(count)}

    offset, index = len(held["train_labels"]), {}
    train_order = [_orders(held["train_labels"], count, seed, "train", r) for r in range(repetitions)]
    test_order = _orders(held["test_labels"], count, seed, "test", 0)
    for key, order, from_here, there in (
        ("majority", train_order[0], not from_test, "pictures of a class, less validation"),
        ("test", test_order, from_test, "test pictures of a class"),
    ):
        wanted, most = getattr(options, key), min(map(len, order))
        left = most - validation if from_here else most
        if wanted > left:
            raise refusal("step_imbalance", key, wanted, f"at most {left} ({most} {there})")
    index["train"] = [np.concatenate([order[c][: train[c]] for c in range(count)]) for order in train_order]
    if from_test:
        chosen = np.concatenate([order[test : test + validation] for order in test_order]) + offset
        index["validation"] = [chosen] * repetitions
    else:
        index["validation"] = [np.concatenate([o[-validation:] for o in order]) for order in train_order]
    index["test"] = [np.concatenate([order[:test] for order in test_order]) + offset]

    used = np.unique(np.concatenate([part for split in SPLITS for part in index[split]]))
    images, labels = (
        np.concatenate([held[f"{s}_{kind}"] for s in ("train", "test")])[used] for kind in ("images", "labels")
    )
    arrays = {
        "images": images if window == 1 else pool(images, window),
        "label": labels,
        "place": used.astype(np.int32),
        "levels": np.array(255 * window**2, np.uint16),
    }
    for split in SPLITS:
        arrays[f"{split}_index"] = np.searchsorted(used, np.stack(index[split])).astype(np.int32)
    each = [_moments(arrays, r) for r in range(repetitions)]
    arrays["mean"], arrays["std"] = (np.array(values) for values in zip(*each, strict=True))
    side, n = SIDE // window, arrays["train_index"].shape[1]
    facts = parent.facts(options.parent) | {
        "name": options.parent,
        "label": f"{parent.manifest['label']}, STEP R = {ratio:g}, {side} x {side}, n = {n:,}",
        "builder": "step_imbalance",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def _orders(labels: np.ndarray, count: int, seed: int, split: str, repetition: int) -> list[np.ndarray]:
    """Places of each class in random order, one order for all ratios."""
    rng = np.random.default_rng(stable_seed("step_imbalance", seed, split, repetition))
    return [rng.permutation(np.flatnonzero(labels == c)) for c in range(count)]


def _moments(arrays: Mapping[str, np.ndarray], repetition: int) -> tuple[list[float], list[float]]:
    train, levels = arrays["images"][arrays["train_index"][repetition]], int(arrays["levels"])
    counted = np.stack([np.bincount(train[..., c].ravel(), minlength=levels + 1) for c in range(train.shape[-1])])
    return moments(counted, 1)


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and class, shape of a picture, mean and standard deviation of each channel in [0, 1]."""
    (mean, std), levels = _moments(arrays, 0), int(arrays["levels"])
    _, height, width, channels = arrays["images"].shape
    scaled = {"mean": [m / levels for m in mean], "std": [s / levels for s in std]}
    found = {split: counts(arrays["label"][arrays[f"{split}_index"][0]]) for split in SPLITS}
    return {"counts": found, "shape": [channels, height, width], **scaled}


def load(path: Path, split: str, repetitions: Sequence[int]) -> dict[str, np.ndarray]:
    """Pictures of a split in the given repetitions (``R'`` of them).

    Returns:
        ``images [R', n, H, W, C]`` (0 to ``levels``), ``label [R', n]``, ``mean`` and ``std`` ``[R', C]`` of the
        repetition's training pictures in the same units.
    """
    names, repetitions = ["images", "label", f"{split}_index", "mean", "std"], list(repetitions)
    images, label, index, mean, std = read_split(
        "step_imbalance", path, SPLITS, split, repetitions, names, "mean"
    ).values()
    chosen = index[[0] * len(repetitions)] if split == "test" else index[repetitions]
    return {"images": images[chosen], "label": label[chosen], "mean": mean[repetitions], "std": std[repetitions]}
