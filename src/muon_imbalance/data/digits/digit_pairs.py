"""Pairs of digits in the form of CIFAR: 100 classes, 00 to 99, each picture two MNIST digits side by side.

A stand-in for CIFAR-100 made of real drawings. A class is a first and a second digit, so **classes share digits**: if
the majority are the first half of the classes (STEP's ``half: first``, first digit 0 to 4), the second digit of a
minority class is that of five majority classes as well, and only its first digit is rare. A mirrored picture shows
the digits of another class, in the wrong order: such pictures are not to be flipped.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.photos.cifar_format import SPLITS, describe, load  # noqa: F401 (a builder offers them)
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import read_arrays

PARENTS = {"digits": ("mnist",)}
DIGITS = 10


class Options(Settings):
    """Pairs of digits in the form of CIFAR: 100 classes, 00 to 99, each picture two MNIST digits side by side."""

    train: int = Field(250, ge=1, description="training pictures of each class")
    test: int = Field(40, ge=1, description="test pictures of each class")
    seed: int = Field(0, ge=0, description="seed of the draws")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ``train_images [100 * train, 32, 32, 3]``, ``train_labels [100 * train]`` and the same of ``test``, uint8.

    ``train_pair`` and ``test_pair`` ``[100 * each, 2]`` are the places of the left and the right digit among the
    parent's training and test digits: training pictures show training digits only, test pictures test digits only.
    A digit is shown at most once on each side, and at most once at all if the parent has ``20 * each`` of its kind.

    Raises:
        UserError: the parent has fewer than ``10 * each`` digits of a kind.
    """
    options = checked(Options, config, "digit_pairs")
    opened = parents.opened("digit_pairs", PARENTS, inputs)
    above, held, arrays = opened["digits"].manifest, read_arrays(opened["digits"].folder), {}
    for split in SPLITS:
        each, labels = getattr(options, split), held[f"{split}_labels"]
        fewest = int(np.bincount(labels, minlength=DIGITS).min())
        if DIGITS * each > fewest:
            kind = {"train": "training", "test": "test"}[split]
            allowed = f"at most {fewest // DIGITS} ({fewest:,} {kind} digits of a kind, 10 of them a picture)"
            raise refusal("digit_pairs", split, each, allowed)
        rng = np.random.default_rng(stable_seed("digit_pairs", options.seed, split))
        pair, number = drawn(labels, each, rng)
        arrays[f"{split}_images"] = side_by_side(held[f"{split}_images"], pair)
        arrays[f"{split}_labels"], arrays[f"{split}_pair"] = number.astype(np.uint8), pair.astype(np.int32)
    made = "Digit pairs" if above["name"] == "mnist" else "Pairs of images"  # what are no digits are not called so
    facts = parents.joint_facts(opened) | {
        "kind": "composed",
        "label": f"{made} 00 to 99 (of {above['label']}; classes share digits; not CIFAR-100)",
        "builder": "digit_pairs",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def drawn(labels: np.ndarray, each: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places of the left and right digit ``[100 * each, 2]`` and classes ``[100 * each]``, in random order.

    Of each kind's digits, in random order, the first ``10 * each`` go to the left, the last ``10 * each`` to the right.
    """
    left, right = np.empty((2, DIGITS, DIGITS, each), np.int64)  # [first digit, second digit, picture]
    for digit in range(DIGITS):
        order = rng.permutation(np.flatnonzero(labels == digit))
        left[digit] = order[: DIGITS * each].reshape(DIGITS, each)
        right[:, digit] = order[-DIGITS * each :].reshape(DIGITS, each)
    order = rng.permutation(left.size)
    return np.stack([left.ravel(), right.ravel()], 1)[order], np.repeat(np.arange(DIGITS**2), each)[order]


def side_by_side(digits: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """Pictures ``[n, 32, 32, 3]`` uint8, white on black: left and right digit, each squeezed to half its width.

    A digit ``[28, 28]`` becomes ``[28, 14]``, the rounded means of two columns, in a frame of ``[32, 16]``.
    """
    columns = digits.astype(np.uint16).reshape(len(digits), 28, 14, 2)
    squeezed = ((columns.sum(3) + 1) // 2).astype(np.uint8)
    framed = np.pad(squeezed, ((0, 0), (2, 2), (1, 1)))
    return np.repeat(np.concatenate([framed[pair[:, 0]], framed[pair[:, 1]]], axis=2)[..., None], 3, axis=3)
