"""MNIST-CIFAR Dominoes (Fig. 7): a digit 0 or 1 above a photo of an automobile or a truck, two classes.

The photo always says which class a picture belongs to (the *core* feature); in training the digit, which is easier to
learn, agrees with it for most pictures (the *spurious* feature; 0 goes with automobile). The four groups are named by
both, ``automobile_1`` is an automobile below a 1. Validation and test hold as many pictures of each group. Source: Shah
et al. 2020, "The pitfalls of simplicity bias in neural networks"; Pagliardini et al. 2022 for the pair of classes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.data import registry
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.store.options import Options, check_request

DEFAULTS = {
    "correlation": 0.95,
    "resolution": 32,
    "train": 4000,
    "validation": 1000,
    "test": 980,
    "pixel_mean": 0.0,
    "pixel_std": 1.0,
    "repetitions": 3,
    "seed": 0,
}
SPLITS = ("train", "validation", "test")
SIDE = 32
RESOLUTIONS = (8, 16, 32)
PHOTOS = {"automobile": 1, "truck": 9}  # class of CIFAR-10
DIGITS = (0, 1)
GROUPS = tuple(f"{photo}_{digit}" for photo in PHOTOS for digit in DIGITS)
CITATION = "H. Shah et al. The pitfalls of simplicity bias in neural networks. NeurIPS 2020."


def classes(config: Mapping) -> int:
    """Number of classes, whatever the configuration."""
    return len(PHOTOS)


def build(config: dict, parents: Mapping[str, Path], out: Path) -> None:
    """Write digits and photos once, and per repetition which pair each picture is made of.

    Arrays, for resolution ``s``, ``R`` repetitions and ``n`` pictures of a split (group after group), with ``pool`` in
    ``train`` (training and validation pictures) and ``test``: ``<pool>_digit [N, s, s]``, ``<pool>_photo [M, s, s, 3]``
    (sums of grey values over a pooling window; digits have a margin of two pixels), ``levels []`` (sum of a white
    window), ``<split>_pair [R, n, 2]`` (number of digit and photo), ``<split>_group [R, n]`` (2 * class + digit),
    ``scaling [2]`` (mean and standard deviation that pixels in [0, 1] are standardised with).

    A repetition permutes the digits and photos of the training files; no digit or photo occurs twice in a repetition,
    so training and validation share none.

    Args:
        config: keys of :data:`DEFAULTS`; ``train``, ``validation`` and ``test`` are pictures of each class,
            ``correlation`` is the share of training pictures whose digit agrees, ``resolution`` the width (the height
            is twice that).
        parents: folders of the prepared ``digits`` (MNIST) and ``photos`` (CIFAR-10's format).
        out: folder to write.

    Raises:
        UserError: a value out of range, unknown key, or sizes larger than what the parents hold.
    """
    options = Options("dominoes", config, DEFAULTS)
    side = options.choice("resolution", RESOLUTIONS)
    correlation = options.number("correlation", 0.5, 1.0)
    counts = {}
    for split in SPLITS:
        each = options.integer(split, 2)
        agree = round(correlation * each) if split == "train" else each // 2
        if split != "train" and each % 2:
            raise options.refuse(split, "an even number: half of each class goes with either digit")
        counts[split] = [[agree, each - agree], [each - agree, agree]]  # [class][digit]
    scaling = np.array([options.number("pixel_mean", 0.0, 1.0), options.number("pixel_std", 0.0, open_low=True)])
    repetitions, seed = options.integer("repetitions", 1), options.integer("seed", 0)

    above = {role: manifest.read(parents[role]) for role in ("digits", "photos")}
    arrays: dict[str, np.ndarray] = {"levels": np.array(255 * (SIDE // side) ** 2, np.int32), "scaling": scaling}
    numbers: dict[str, dict[str, list[np.ndarray]]] = {}
    for pool in ("train", "test"):
        digits, photos = (_images(parents[role], above[role], pool) for role in ("digits", "photos"))
        digits = [digits[0][digits[1] == digit] for digit in DIGITS]
        photos = [photos[0][photos[1] == c] for c in PHOTOS.values()]
        arrays[f"{pool}_digit"] = _pooled(np.pad(np.concatenate(digits), ((0, 0), (2, 2), (2, 2)))[..., None], side)[
            ..., 0
        ]
        arrays[f"{pool}_photo"] = _pooled(np.concatenate(photos), side)
        numbers[pool] = {"digit": _ranges(digits), "photo": _ranges(photos)}
    for split in SPLITS:
        arrays[f"{split}_group"] = np.repeat(np.arange(4), np.ravel(counts[split]))[None].repeat(repetitions, 0)
    drawn = [_repetition(options, numbers, counts, (seed, r)) for r in range(repetitions)]
    arrays |= {f"{split}_pair": np.stack([one[split] for one in drawn]).astype(np.int32) for split in SPLITS}
    agreement = f"{100 * correlation:g} % agree"
    facts = {
        "name": "dominoes",
        "kind": min((above[role]["kind"] for role in above), key=lambda kind: kind == "real"),
        "label": f"Dominoes of {above['digits']['label']} and {above['photos']['label']} "
        f"({2 * side} x {side}, {agreement}, n = {2 * options.values['train']:,})",
        "source": {role: {"sha256": above[role]["sha256"], **above[role]["source"]} for role in above},
        "licence": "; ".join(dict.fromkeys(above[role]["licence"] for role in above)),
        "citation": " ".join([*dict.fromkeys(above[role]["citation"] for role in above), f"Dominoes: {CITATION}"]),
        "builder": "dominoes",
        "config": options.values,
    }
    manifest.write(out, arrays, facts)


def _images(folder: Path, above: Mapping, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a parent's split."""
    held = registry.module(above["builder"]).load(folder, split)
    return held["images"], held["label"]


def _pooled(images: np.ndarray, side: int) -> np.ndarray:
    """Sums over square windows of ``[N, 32, 32, C]``: ``[N, side, side, C]``."""
    window = SIDE // side
    return images.reshape(len(images), side, window, side, window, -1).sum((2, 4), dtype=np.int32).astype(np.int16)


def _ranges(kinds: list[np.ndarray]) -> list[np.ndarray]:
    """Numbers of each kind's members in the concatenation of all."""
    ends = np.cumsum([len(kind) for kind in kinds])
    return [np.arange(end - len(kind), end) for kind, end in zip(kinds, ends, strict=True)]


def _repetition(options: Options, numbers: Mapping, counts: Mapping, seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """Pairs ``[n, 2]`` of each split."""
    found: dict[str, np.ndarray] = {}
    for pool, splits in (("train", ("train", "validation")), ("test", ("test",))):
        rng = np.random.default_rng(stable_seed("dominoes", *seed, pool))
        left = {kind: [rng.permutation(members) for members in numbers[pool][kind]] for kind in ("digit", "photo")}
        for split in splits:
            pairs = []
            for c in range(len(PHOTOS)):
                for digit in DIGITS:
                    count, taken = counts[split][c][digit], []
                    for kind, which in (("digit", digit), ("photo", c)):
                        if len(left[kind][which]) < count:
                            raise options.refuse(split, f"fewer pictures: the {pool} files have too few {kind}s")
                        part, left[kind][which] = np.split(left[kind][which], [count])
                        taken.append(part)
                    pairs.append(np.stack(taken, 1))
            found[split] = np.concatenate(pairs)
    return found


def pictures(arrays: Mapping[str, np.ndarray], split: str, repetition: int) -> np.ndarray:
    """Pictures of one repetition in levels, ``[n, 2 s, s, 3]`` int16: digit above, photo below."""
    pool = "test" if split == "test" else "train"
    digit, photo = arrays[f"{split}_pair"][repetition].T
    top = np.repeat(arrays[f"{pool}_digit"][digit][..., None], 3, axis=3)
    return np.concatenate([top, arrays[f"{pool}_photo"][photo]], axis=1)


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split, class and group of one repetition; sample shape; mean and std of training pixels in [0, 1]."""
    counts = {}
    for split in SPLITS:
        group = arrays[f"{split}_group"][0]
        each = np.bincount(group, minlength=4)
        counts[split] = {"all": len(group), "class_0": int(each[:2].sum()), "class_1": int(each[2:].sum())}
        counts[split] |= {name: int(count) for name, count in zip(GROUPS, each, strict=True)}
    shown = pictures(arrays, "train", 0).astype(np.int64)
    levels = float(arrays["levels"])
    mean = int(shown.sum()) / shown.size / levels
    std = (int((shown**2).sum()) / shown.size / levels**2 - mean**2) ** 0.5
    return {"counts": counts, "shape": [3, *shown.shape[1:3]], "mean": mean, "std": std}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """Pictures, classes and groups of the given repetitions (``R'`` of them).

    Returns:
        ``images [R', n, 2 s, s, 3]`` int16 with ``mean`` and ``std`` ``[R', 3]`` in the same units, ``label [R', n]``
        (0 automobile, 1 truck) and ``group [R', n]`` (numbers of :data:`GROUPS`), int64.

    Raises:
        UserError: unknown split or repetition, or an unfinished or damaged folder.
    """
    check_request("dominoes", split, SPLITS, [0], 1)
    pool = "test" if split == "test" else "train"
    names = ["levels", "scaling", f"{pool}_digit", f"{pool}_photo", f"{split}_pair", f"{split}_group"]
    held = read_arrays(path, names)
    repetitions = list(repetitions)
    check_request("dominoes", split, SPLITS, repetitions, len(held[f"{split}_pair"]))
    group = held[f"{split}_group"][repetitions].astype(np.int64)
    mean, std = (np.full((len(repetitions), 3), value * float(held["levels"])) for value in held["scaling"])
    images = np.stack([pictures(held, split, r) for r in repetitions])
    return {"images": images, "mean": mean, "std": std, "label": group // 2, "group": group}
