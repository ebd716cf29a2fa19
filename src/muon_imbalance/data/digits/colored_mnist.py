"""Colored-MNIST (Fig. 1): digits on a background whose colour agrees with the label in most images.

Label = (digit >= 5), or (class >= 5) for Fashion-MNIST as the parent. Label 0 goes with red, label 1 with green; the
majority group are the images that agree.
A pixel is ``v * white + (1 - v) * background`` for the digit's grey value ``v`` in [0, 1].
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import model_validator

from muon_imbalance.common.errors import UserError, refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.pooling import pool
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import counts, read_arrays, read_split

PARENTS = {"parent": ("mnist",)}
SPLITS = ("train", "validation", "test")
LABELS = ("label_0", "label_1")
Colour = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=3, max_length=3)]


class Background(Settings):
    """Red, green and blue of the two backgrounds, each from 0 to 1."""

    red: Colour = Field(description="background that goes with label 0")
    green: Colour = Field(description="background that goes with label 1")

    @model_validator(mode="after")
    def _two_colours(self):
        if self.red == self.green:
            raise ValueError(f"red = green = {self.red}; allowed: two different colours")
        return self


class Options(Settings):
    """Colored-MNIST: digits on a background whose colour agrees with the label in most images."""

    parent: str = Field("mnist", min_length=1, description="data set of 28 x 28 digits (or of Fashion-MNIST)")
    correlation: float = Field(0.99, ge=0.5, le=1, description="share of training images whose colour agrees")
    background: Background = Field(Background(red=[1.0, 0.0, 0.0], green=[0.0, 1.0, 0.0]), description="two colours")
    resolution: Literal[14, 28] = Field(14, description="height and width, pixels")
    train: int = Field(20000, ge=2, description="images to train with")
    validation: int = Field(1000, ge=2, description="images to validate with")
    test: int = Field(2000, ge=2, description="images to test with")
    repetitions: int = Field(5, ge=1, description="independent draws of training and validation images")
    seed: int = Field(0, ge=0, description="seed of the draws")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the grey digits once and, per repetition, which of them are used and in which colour.

    Arrays, for ``N`` digits of MNIST train, ``P`` pixels, ``R`` repetitions, sizes ``n`` (train), ``m``
    (validation), ``t`` (test): ``train_pool [N, P]`` and ``test_pool [t, P]`` (sums of grey values over a
    pooling window), ``levels []`` (sum of a white window), ``train_digit [N]``, ``test_digit [t]``,
    ``test_index [t]`` (place in MNIST test), ``train_index [R, n]`` (red block first), ``train_colour [R,
    n]``, ``validation_index [R, m]``, ``background [2, 3]``.

    Train and validation are disjoint draws, stratified by label with the same counts in each repetition;
    exactly ``round((1 - correlation) * n_label)`` images of a label get the other label's colour.
    """
    options = checked(Options, config, "colored_mnist")
    parent = parents.opened("colored_mnist", PARENTS, inputs, options.parent)["parent"]
    above = parent.manifest
    correlation, window, seed = options.correlation, 28 // options.resolution, options.seed
    background = np.array([options.background.red, options.background.green], np.float32)
    sizes = {split: getattr(options, split) for split in SPLITS}

    digits = read_arrays(parent.folder)
    labels = {split: digits[f"{split}_labels"] >= 5 for split in ("train", "test")}
    held = {split: len(label) for split, label in labels.items()}
    if sizes["train"] + sizes["validation"] > held["train"]:
        most = held["train"] - sizes["validation"]
        allowed = f"up to {most:,} ({held['train']:,} digits less {sizes['validation']:,} validation)"
        raise refusal("colored_mnist", "train", sizes["train"], allowed)
    if sizes["test"] > held["test"]:
        raise refusal("colored_mnist", "test", sizes["test"], f"up to {held['test']:,} (the parent's test digits)")
    train, both = (_per_label(labels["train"], n) for n in (sizes["train"], sizes["train"] + sizes["validation"]))
    validation = [both[label] - train[label] for label in (0, 1)]
    minority = [round((1 - correlation) * count) for count in train]
    if correlation < 1 and min(minority) == 0:
        allowed = f"more images: at correlation {correlation} a label gets no minority image"
        raise refusal("colored_mnist", "train", options.train, allowed)

    wanted = (labels["train"], train, validation, minority)
    drawn = [_repetition(_generator(seed, "train", r), *wanted) for r in range(options.repetitions)]
    (test,) = _draw(_generator(seed, "test"), labels["test"], _per_label(labels["test"], sizes["test"]))
    arrays = {
        "train_pool": pool(digits["train_images"], window).reshape(len(digits["train_images"]), -1),
        "test_pool": pool(digits["test_images"][test], window).reshape(len(test), -1),
        "levels": np.array(255 * window**2, np.uint16),
        "train_digit": digits["train_labels"],
        "test_digit": digits["test_labels"][test],
        "test_index": test.astype(np.int32),
        "train_index": np.stack([d[0] for d in drawn]).astype(np.int32),
        "train_colour": np.stack([d[1] for d in drawn]).astype(np.uint8),
        "validation_index": np.stack([d[2] for d in drawn]).astype(np.int32),
        "background": background,
    }
    side = 28 // window
    made = "Colored-MNIST" if above["name"] == "mnist" else "Colored images"  # what is not MNIST is not called so
    facts = parent.facts(options.parent) | {
        "label": f"{made} ({above['label']}; {side} x {side}, n = {sizes['train']:,})",
        "builder": "colored_mnist",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def _generator(seed: int, *role: str | int) -> np.random.Generator:
    return np.random.default_rng(stable_seed("colored_mnist", seed, *role))


def _per_label(label: np.ndarray, size: int) -> list[int]:
    """``size`` split between labels 0 and 1 as in the pool."""
    ones = round(size * float(label.mean()))
    return [size - ones, ones]


def _draw(rng: np.random.Generator, label: np.ndarray, *counts: list[int]) -> list[np.ndarray]:
    """Disjoint random index sets, each with ``counts[i][l]`` samples of label ``l``."""
    parts = [[] for _ in counts]
    for value in (0, 1):
        order, start = rng.permutation(np.flatnonzero(label == value)), 0
        for part, count in zip(parts, counts, strict=True):
            if start + count[value] > len(order):
                raise UserError(
                    f"colored_mnist: {start + count[value]:,} images of label {value} are needed, "
                    f"the parent holds {len(order):,}"
                )
            part.append(order[start : start + count[value]])
            start += count[value]
    return [rng.permutation(np.concatenate(part)) for part in parts]


def _repetition(
    rng: np.random.Generator, label: np.ndarray, train: list[int], validation: list[int], minority: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train indices (red first), their colours (0 red, 1 green), validation indices."""
    train_index, validation_index = _draw(rng, label, train, validation)
    colour = label[train_index].astype(np.uint8)
    for value in (0, 1):
        chosen = rng.permutation(np.flatnonzero(label[train_index] == value))[: minority[value]]
        colour[chosen] = 1 - value
    order = np.argsort(colour, kind="stable")
    return train_index[order], colour[order], validation_index


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split, label, group of one repetition; sample shape; training mean and std per channel."""
    digit, colour = arrays["train_digit"], arrays["train_colour"][0]
    label = digit[arrays["train_index"][0]] >= 5
    minority = colour != label
    labels = {"validation": digit[arrays["validation_index"][0]] >= 5, "test": arrays["test_digit"] >= 5}
    found = {split: counts(held, LABELS) for split, held in ({"train": label} | labels).items()}
    found["train"] |= {"majority": int((~minority).sum()), "minority": int(minority.sum())}
    found["train"] |= {f"minority_label_{value}": int((minority & (label == value)).sum()) for value in (0, 1)}
    mean, std = _channels(arrays)
    side = round(arrays["train_pool"].shape[1] ** 0.5)
    return {"counts": found, "shape": [3, side, side], "mean": mean, "std": std}


def _channels(arrays: Mapping[str, np.ndarray]) -> tuple[list[float], list[float]]:
    """Mean and std per channel over all training images of all repetitions: pixel = b + g (1 - b)."""
    grey = arrays["train_pool"] / float(arrays["levels"])
    first, second = grey.mean(axis=1), (grey**2).mean(axis=1)
    mean, square = np.zeros(3), np.zeros(3)
    for colour, b in enumerate(arrays["background"].astype(float)):
        chosen = arrays["train_index"][arrays["train_colour"] == colour]
        share, g, g2 = len(chosen) / arrays["train_index"].size, first[chosen].mean(), second[chosen].mean()
        mean += share * (b + g * (1 - b))
        square += share * (b**2 + 2 * b * (1 - b) * g + (1 - b) ** 2 * g2)
    return mean.tolist(), np.sqrt(square - mean**2).tolist()


def load(path: Path, split: str, repetitions: Sequence[int]) -> dict[str, np.ndarray]:
    """Arrays of a split for the given repetitions (``R'`` of them), without colouring them.

    Returns:
        All splits: ``grey [R', n, P]`` float32 in [0, 1], ``label`` and ``digit [R', n]`` int64,
        ``background [2, 3]`` (row = colour). Train also has ``colour [R', n]`` (0 red, 1 green; the red
        block comes first and is equally long in all repetitions) and ``group [R', n]`` (0 majority, 1
        minority). Validation and test images are meant to be shown in both colours. Test is the same for
        all repetitions, with a leading axis of length 1: ``grey [1, t, P]``.
    """
    repetitions, pool = list(repetitions), "test" if split == "test" else "train"
    names = [f"{pool}_pool", f"{pool}_digit", "levels", "background", "train_colour", f"{split}_index"]
    held = read_split("colored_mnist", path, SPLITS, split, repetitions, names, "train_colour")
    index = np.arange(len(held["test_index"]))[None] if split == "test" else held[f"{split}_index"][repetitions]
    digit = held[f"{pool}_digit"][index].astype(np.int64)
    grey = held[f"{pool}_pool"][index].astype(np.float32)
    grey /= np.float32(held["levels"])
    label = (digit >= 5).astype(np.int64)
    found = {"grey": grey, "label": label, "digit": digit, "background": held["background"]}
    if split == "train":
        found["colour"] = held["train_colour"][repetitions].astype(np.int64)
        found["group"] = (found["colour"] != label).astype(np.int64)
    return found


def render(grey: np.ndarray, colour: np.ndarray | int, background: np.ndarray) -> np.ndarray:
    """Coloured pixels ``[..., 3, P]`` in [0, 1].

    Args:
        grey: ``[..., P]`` in [0, 1], 1 is the white digit.
        colour: ``[...]`` (or one number), 0 red, 1 green: rows of ``background [2, 3]``.
    """
    tint = np.asarray(background, np.float32)[np.asarray(colour)][..., :, None]
    value = np.asarray(grey)[..., None, :]
    return value + (1 - value) * tint
