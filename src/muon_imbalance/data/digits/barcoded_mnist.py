"""Barcoded MNIST (Fig. 30): ten classes with half of the samples, thousands of classes that share the other half.

The majority are MNIST's digits. A minority class is a digit and a barcode: ``bits`` pixels of the top row, from the
left corner on, each of which is set to the largest value or left as it is. All ``2**bits`` barcodes are used, so there
are ``10 * 2**bits`` minority classes; those of the barcode 0 are digits without any mark (as in the source: the same
picture belongs to two classes). The images of a minority class are drawn with replacement from the same training digits
that make up the majority. Source: Kunstner et al. 2024, "Heavy-tailed class imbalance and why Adam outperforms gradient
descent on language models", and its code (10 bits, 5 + 1 images a class, 50,000 + 10,000 digits: 10,250 classes).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.pooling import pool
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import counts, read_arrays, read_split

SPLITS = ("train", "validation")
DIGITS = 10
GROUPS = ("majority", "minority")
CITATION = "F. Kunstner et al. Heavy-tailed class imbalance and why Adam outperforms gradient descent. 2024."
PARENTS = {"parent": ("mnist",)}


class Options(Settings):
    """Barcoded MNIST: ten classes with half of the samples, thousands of classes that share the other half."""

    parent: str = Field("mnist", min_length=1, description="data set of 28 x 28 digits")
    resolution: Literal[14, 28] = Field(28, description="height and width, pixels")
    bits: int = Field(10, ge=1, le=12, description="bits of a barcode; there are 10 * 2**bits minority classes")
    train: int = Field(50000, ge=DIGITS, description="majority samples to train with")
    validation: int = Field(10000, ge=DIGITS, description="majority samples to validate with")
    per_class: int = Field(5, ge=1, description="training samples of each minority class")
    validation_per_class: int = Field(1, ge=1, description="validation samples of each minority class")
    repetitions: int = Field(3, ge=1, description="independent draws")
    seed: int = Field(0, ge=0, description="seed of the draws")


def classes(config: Mapping) -> int:
    """Number of classes, ``10 + 10 * 2**bits``."""
    return DIGITS * (1 + 2 ** checked(Options, config, "barcoded_mnist").bits)


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the grey digits once and, per repetition, which digit each sample shows and its class.

    Arrays, for ``N`` digits of MNIST train, ``P`` pixels, ``R`` repetitions, ``n`` samples (majority first, then the
    minority class after class), the same for validation with ``m``: ``pool [N, P]`` (sums of grey values over a pooling
    window), ``levels []`` (sum of a white window), ``digit [N]``, ``bits []``, ``train_index [R, n]``, ``train_label
    [R, n]``, ``validation_index [R, m]``, ``validation_label [R, m]``, ``mean [R, P]``, ``std [R, P]`` (of the training
    images with their barcodes, in levels; sample standard deviation).

    A repetition permutes MNIST train; the first ``train`` digits are its training digits, the next ``validation`` its
    validation digits. Class ``c < 10`` is digit ``c``; class ``10 + 10 * b + c`` is digit ``c`` with barcode ``b``,
    whose most significant bit is the left-most pixel.
    """
    options = checked(Options, config, "barcoded_mnist")
    parent = parents.opened("barcoded_mnist", PARENTS, inputs, options.parent)["parent"]
    side, bits, repetitions = options.resolution, options.bits, options.repetitions
    sizes = {"train": options.train, "validation": options.validation}
    per_class = {"train": options.per_class, "validation": options.validation_per_class}

    digits = read_arrays(parent.folder, ["train_images", "train_labels"])
    digit = digits["train_labels"]
    if sum(sizes.values()) > len(digit):
        most = len(digit) - options.validation
        allowed = f"up to {most:,} ({len(digit):,} digits less {options.validation:,} validation)"
        raise refusal("barcoded_mnist", "train", options.train, allowed)

    arrays = {
        "pool": pool(digits["train_images"], 28 // side).reshape(len(digit), -1),
        "levels": np.array(255 * (28 // side) ** 2, np.uint16),
        "digit": digit,
        "bits": np.array(bits, np.int64),
    }
    drawn = [_repetition(options.seed, r, digit, sizes, per_class, bits) for r in range(repetitions)]
    for split in SPLITS:
        arrays[f"{split}_index"] = np.stack([one[split][0] for one in drawn]).astype(np.int32)
        arrays[f"{split}_label"] = np.stack([one[split][1] for one in drawn]).astype(np.int32)
    moments = [_moments(_images(arrays, "train", r)) for r in range(repetitions)]
    arrays |= {"mean": np.stack([m for m, _ in moments]), "std": np.stack([s for _, s in moments])}
    facts = parent.facts(options.parent) | {
        "label": f"Barcoded MNIST ({parent.manifest['label']}; {side} x {side}, {bits}-bit barcodes, "
        f"{classes(config):,} classes, n = {arrays['train_index'].shape[1]:,})",
        "citation": f"{parent.manifest['citation']} Barcodes: {CITATION}",
        "builder": "barcoded_mnist",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def _repetition(seed: int, repetition: int, digit: np.ndarray, sizes, per_class, bits: int) -> dict:
    """``(indices, labels)`` of each split: first the digits themselves, then those that get a barcode."""
    rng = np.random.default_rng(stable_seed("barcoded_mnist", seed, repetition))
    order, start, found = rng.permutation(len(digit)), 0, {}
    for split in SPLITS:
        plain = order[start : start + sizes[split]]
        start += sizes[split]
        candidates = [plain[digit[plain] == c] for c in range(DIGITS)]
        if not all(map(len, candidates)):
            allowed = "more digits: one of the ten does not occur among them"
            raise refusal("barcoded_mnist", split, sizes[split], allowed)
        shape = 2**bits, per_class[split]
        shown = [digits_of_class[rng.integers(len(digits_of_class), size=shape)] for digits_of_class in candidates]
        marked = np.stack(shown, axis=1)  # [barcode, digit, image]
        label = np.broadcast_to(DIGITS + np.arange(DIGITS * 2**bits).reshape(-1, DIGITS, 1), marked.shape)
        found[split] = np.concatenate([plain, marked.ravel()]), np.concatenate([digit[plain], label.ravel()])
    return found


def barcodes(label: np.ndarray, bits: int) -> np.ndarray:
    """Which of the ``bits`` pixels are set in samples of these classes: ``[..., bits]``, true or false."""
    number = np.maximum(np.asarray(label, np.int64) // DIGITS - 1, 0)
    return (number[..., None] >> np.arange(bits)[::-1] & 1).astype(bool)


def _images(arrays: Mapping[str, np.ndarray], split: str, repetition: int) -> np.ndarray:
    """Images of one repetition with their barcodes, in levels: ``[n, P]``."""
    images = arrays["pool"][arrays[f"{split}_index"][repetition]]
    bits = int(arrays["bits"])
    head = images[:, :bits]  # the top row, from the left corner on
    head[barcodes(arrays[f"{split}_label"][repetition], bits)] = arrays["levels"]
    return images


def _moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample standard deviation per pixel, from exact sums."""
    wide, n = images.astype(np.int64), len(images)
    total, squares = wide.sum(0), (wide**2).sum(0)
    return total / n, np.sqrt((squares * n - total**2) / (n * (n - 1)))


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and group of one repetition; sample shape; mean and std of training pixels in [0, 1].

    ``unmarked``: minority samples with the barcode 0, which look like the majority's.
    """
    found = {}
    for split in SPLITS:
        label = arrays[f"{split}_label"][0]
        minority, each = label >= DIGITS, np.bincount(label)
        found[split] = counts(minority, GROUPS) | {
            "majority_classes": len(np.unique(label[~minority])),
            "minority_classes": len(np.unique(label[minority])),
            "unmarked": int(each[DIGITS : 2 * DIGITS].sum()),
            **{f"class_{c}": int(each[c]) for c in range(DIGITS)},
            "smallest_minority_class": int(each[DIGITS:].min()),
            "largest_minority_class": int(each[DIGITS:].max()),
        }
    levels, side = float(arrays["levels"]), round(arrays["pool"].shape[1] ** 0.5)
    images = [_images(arrays, "train", r).astype(np.int64) for r in range(len(arrays["train_index"]))]
    total, squares, size = (sum(int(f(i)) for i in images) for f in (np.sum, lambda i: (i**2).sum(), np.size))
    mean = total / size / levels
    std = (squares / size / levels**2 - mean**2) ** 0.5
    return {"counts": found, "shape": [1, side, side], "mean": mean, "std": std}


def load(path: Path, split: str, repetitions: Sequence[int], standardise: bool = True) -> dict[str, np.ndarray]:
    """Images with their barcodes, classes and groups of the given repetitions (``R'`` of them).

    Returns:
        ``inputs [R', n, P]`` float32, ``label [R', n]`` and ``group [R', n]`` int64 (0 majority, 1 minority). A pixel
        is standardised by its mean and standard deviation over the repetition's training images (one that is constant
        there is left as it is); with ``standardise=False`` its value is in [0, 1].
    """
    names = ["pool", "levels", "bits", "mean", "std", f"{split}_index", f"{split}_label"]
    held = read_split("barcoded_mnist", path, SPLITS, split, repetitions, names, "mean")
    inputs = []
    for r in repetitions:
        images, std = _images(held, split, r).astype(np.float32), held["std"][r]
        varies = std > 0
        scale = np.where(varies, std, float(held["levels"])) if standardise else float(held["levels"])
        shift = np.where(varies, held["mean"][r], 0.0) if standardise else 0.0
        inputs.append(((images - shift) / scale).astype(np.float32))
    label = held[f"{split}_label"][list(repetitions)].astype(np.int64)
    return {"inputs": np.stack(inputs), "label": label, "group": (label >= DIGITS).astype(np.int64)}
