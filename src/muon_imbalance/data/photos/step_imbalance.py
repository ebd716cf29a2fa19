"""STEP imbalance: half of the classes keep many training pictures, the others one for every ``ratio`` of those.

The parent is a data set of 32 x 32 colour pictures (CIFAR-10, CIFAR-100, or a stand-in). Training, validation and test
pictures are kept apart; validation and test have equally many of each class.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.data.photos.cifar_format import SIDE, moments
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.store.options import Options, check_request

DEFAULTS = {
    "parent": "cifar10",
    "classes": 10,
    "ratio": 20,
    "majority": 1000,
    "half": "first",
    "resolution": 16,
    "validation": 100,
    "validation_from": "train",
    "test": 200,
    "repetitions": 3,
    "seed": 0,
}
SPLITS = ("train", "validation", "test")
SETS = ("majority", "minority")


def class_sets(config: Mapping) -> dict[str, list[int]]:
    """Classes of the majority and of the minority: the first half and the second, or even and odd numbers."""
    every = range(int(config.get("classes", DEFAULTS["classes"])))
    first = every[: len(every) // 2] if config.get("half", DEFAULTS["half"]) == "first" else every[::2]
    return {"majority": list(first), "minority": [c for c in every if c not in first]}


def classes(config: Mapping) -> int:
    """Number of classes."""
    return int(config.get("classes", DEFAULTS["classes"]))


def build(config: dict, sources: Mapping[str, Path], out: Path) -> None:
    """Write the pictures that are used, and which of them belong to which split of each repetition.

    Arrays, for ``R`` repetitions: ``images [N, H, W, 3]`` (sums over ``32 / resolution`` squared pixels), ``label
    [N]``, ``place [N]`` (in the parent's train pictures, then its test pictures), ``levels []`` (value of white),
    ``train_index [R, n]``, ``validation_index [R, m]``, ``test_index [1, t]`` (all into ``images``), ``mean`` and
    ``std`` ``[R, 3]`` of the training pictures. With equal ``seed`` the minority's pictures at a larger ratio are
    among those at a smaller one.

    Args:
        config: keys of :data:`DEFAULTS`. ``majority``, ``validation``, ``test``: pictures of each class (of the
            majority, in the case of training); ``validation_from``: ``train`` or ``test`` pictures of the parent.
        sources: ``{parent: folder of the prepared data set}``.
        out: folder to write.

    Raises:
        UserError: a value out of range, unknown key, or more pictures of a class than the parent has.
    """
    options = Options("step_imbalance", config, DEFAULTS)
    parent = options.text("parent")
    if parent not in sources:
        raise options.refuse("parent", ", ".join(sorted(sources)) or "a dataset given as an input")
    above, held = manifest.read(sources[parent]), read_arrays(sources[parent])
    if not {"train_images", "train_labels", "test_images", "test_labels"} <= set(held):
        raise options.refuse("parent", "a dataset of 32 x 32 colour pictures")
    count = int(held["train_labels"].max()) + 1
    if options.integer("classes", 2) != count or count % 2:
        raise options.refuse("classes", f"{count}, the number of classes of {parent}, if it is even")
    options.choice("half", ("first", "even"))
    window = SIDE // options.choice("resolution", (8, 16, 32))
    ratio, majority = options.number("ratio", 1), options.integer("majority", 1)
    if round(majority / ratio) < 1:
        raise options.refuse("ratio", f"at most {2 * majority - 1}, so that a minority class has a picture")
    sets = class_sets(options.values)
    train = {c: majority if c in sets["majority"] else round(majority / ratio) for c in range(count)}
    from_test = options.choice("validation_from", ("train", "test")) == "test"
    validation, test, seed = options.integer("validation", 1), options.integer("test", 1), options.integer("seed", 0)
    repetitions = options.integer("repetitions", 1)

    offset, index = len(held["train_labels"]), {}
    train_order = [_orders(held["train_labels"], count, seed, "train", r) for r in range(repetitions)]
    (test_order,) = [_orders(held["test_labels"], count, seed, "test", 0)]
    needed = majority + (0 if from_test else validation)
    if needed > (most := min(map(len, train_order[0]))):
        raise options.refuse(
            "majority", f"at most {most - needed + majority} ({most} pictures of a class, less validation)"
        )
    needed = test + (validation if from_test else 0)
    if needed > (most := min(map(len, test_order))):
        raise options.refuse("test", f"at most {most - needed + test} ({most} test pictures of a class)")
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
        "images": pooled(images, window),
        "label": labels,
        "place": used.astype(np.int32),
        "levels": np.array(255 * window**2, np.uint16),
    }
    for split in SPLITS:
        arrays[f"{split}_index"] = np.searchsorted(used, np.stack(index[split])).astype(np.int32)
    each = [_moments(arrays, r) for r in range(repetitions)]
    arrays["mean"], arrays["std"] = (np.array(values) for values in zip(*each, strict=True))
    side, n = SIDE // window, arrays["train_index"].shape[1]
    facts = {
        "name": parent,
        "kind": above["kind"],
        "label": f"{above['label']}, STEP R = {ratio:g}, {side} x {side}, n = {n:,}",
        "source": {"parent": parent, "parent_sha256": above["sha256"], **above["source"]},
        "licence": above["licence"],
        "citation": above["citation"],
        "builder": "step_imbalance",
        "config": options.values,
    }
    manifest.write(out, arrays, facts)


def _orders(labels: np.ndarray, count: int, seed: int, split: str, repetition: int) -> list[np.ndarray]:
    """Places of each class in random order, one order for all ratios."""
    rng = np.random.default_rng(stable_seed("step_imbalance", seed, split, repetition))
    return [rng.permutation(np.flatnonzero(labels == c)) for c in range(count)]


def pooled(images: np.ndarray, window: int) -> np.ndarray:
    """Sums of ``[N, H, W, C]`` over ``window x window`` pixels (uint16; uint8 where nothing is added up)."""
    if window == 1:
        return images
    n, height, width, channels = images.shape
    blocks = images.reshape(n, height // window, window, width // window, window, channels)
    return blocks.sum(axis=(2, 4), dtype=np.uint16)


def _moments(arrays: Mapping[str, np.ndarray], repetition: int) -> tuple[list[float], list[float]]:
    train, levels = arrays["images"][arrays["train_index"][repetition]], int(arrays["levels"])
    counted = np.stack([np.bincount(train[..., c].ravel(), minlength=levels + 1) for c in range(train.shape[-1])])
    return moments(counted, 1)


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and class, shape of a picture, mean and standard deviation of each channel in [0, 1]."""
    counts = {}
    for split in SPLITS:
        each = np.bincount(arrays["label"][arrays[f"{split}_index"][0]])
        counts[split] = {"all": int(each.sum())} | {f"class_{c}": int(n) for c, n in enumerate(each)}
    (mean, std), levels = _moments(arrays, 0), int(arrays["levels"])
    _, height, width, channels = arrays["images"].shape
    scaled = {"mean": [m / levels for m in mean], "std": [s / levels for s in std]}
    return {"counts": counts, "shape": [channels, height, width], **scaled}


def load(path: Path, split: str, repetitions: Sequence[int]) -> dict[str, np.ndarray]:
    """Pictures of a split in the given repetitions (``R'`` of them).

    Returns:
        ``images [R', n, H, W, C]`` (0 to ``levels``), ``label [R', n]``, ``mean`` and ``std`` ``[R', C]`` of the
        repetition's training pictures in the same units.

    Raises:
        UserError: unknown split or repetition, or an unfinished or damaged folder.
    """
    repetitions = list(repetitions)
    check_request("step_imbalance", split, SPLITS, [0], 1)
    held = read_arrays(path, ["images", "label", f"{split}_index", "mean", "std"])
    check_request("step_imbalance", split, SPLITS, repetitions, len(held["mean"]))
    index = held[f"{split}_index"]
    chosen = index[[0] * len(repetitions)] if split == "test" else index[repetitions]
    return {
        "images": held["images"][chosen],
        "label": held["label"][chosen],
        "mean": held["mean"][repetitions],
        "std": held["std"][repetitions],
    }
