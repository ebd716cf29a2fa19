"""MNIST-CIFAR Dominoes (Fig. 7): a digit 0 or 1 above a photo of an automobile or a truck, two classes.

The photo always says which class a picture belongs to (the *core* feature); in training the digit, which is easier to
learn, agrees with it for most pictures (the *spurious* feature; 0 goes with automobile). The four groups are named by
both, ``automobile_1`` is an automobile below a 1. Validation and test hold as many pictures of each group. Source: Shah
et al. 2020, "The pitfalls of simplicity bias in neural networks"; Pagliardini et al. 2022 for the pair of classes.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.pooling import pool
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import counts, read_arrays, read_split

SPLITS = ("train", "validation", "test")
SIDE = 32
PHOTOS = {"automobile": 1, "truck": 9}  # class of CIFAR-10
DIGITS = (0, 1)
GROUPS = tuple(f"{photo}_{digit}" for photo in PHOTOS for digit in DIGITS)
CITATION = "H. Shah et al. The pitfalls of simplicity bias in neural networks. NeurIPS 2020."


PARENTS = {"digits": ("mnist",), "photos": ("cifar10", "fractal100")}


class Options(Settings):
    """MNIST-CIFAR Dominoes: a digit 0 or 1 above a photo of an automobile or a truck, two classes."""

    correlation: float = Field(0.95, ge=0.5, le=1, description="share of training pictures whose digit agrees")
    resolution: Literal[8, 16, 32] = Field(32, description="width, pixels; the height is twice that")
    train: int = Field(4000, ge=2, description="training pictures of each class")
    validation: int = Field(1000, ge=2, multiple_of=2, description="validation pictures of each class, half by digit")
    test: int = Field(980, ge=2, multiple_of=2, description="test pictures of each class, half with either digit")
    pixel_mean: float = Field(0.0, ge=0, le=1, description="subtracted from pixels in [0, 1]")
    pixel_std: float = Field(1.0, gt=0, description="what they are then divided by")
    repetitions: int = Field(3, ge=1, description="independent draws")
    seed: int = Field(0, ge=0, description="seed of the draws")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write digits and photos once, and per repetition which pair each picture is made of.

    Arrays, for resolution ``s``, ``R`` repetitions and ``n`` pictures of a split (group after group), with ``part`` in
    ``train`` (training and validation pictures) and ``test``: ``<part>_digit [N, s, s]``, ``<part>_photo [M, s, s, 3]``
    (sums of grey values over a pooling window; digits have a margin of two pixels), ``levels []`` (sum of a white
    window), ``<split>_pair [R, n, 2]`` (number of digit and photo), ``<split>_group [R, n]`` (2 * class + digit),
    ``scaling [2]`` (mean and standard deviation that pixels in [0, 1] are standardised with).

    A repetition permutes the digits and photos of the training files; no digit or photo occurs twice in a repetition,
    so training and validation share none.
    """
    options = checked(Options, config, "dominoes")
    side, correlation, repetitions = options.resolution, options.correlation, options.repetitions
    sizes = {"train": options.train, "validation": options.validation, "test": options.test}
    wanted = {}  # [class][digit]
    for split, each in sizes.items():
        agree = round(correlation * each) if split == "train" else each // 2
        wanted[split] = [[agree, each - agree], [each - agree, agree]]
    scaling = np.array([options.pixel_mean, options.pixel_std])
    opened = parents.opened("dominoes", PARENTS, inputs)
    above = {role: opened[role].manifest for role in PARENTS}
    arrays: dict[str, np.ndarray] = {"levels": np.array(255 * (SIDE // side) ** 2, np.int32), "scaling": scaling}
    numbers: dict[str, dict[str, list[np.ndarray]]] = {}
    for part in ("train", "test"):
        names = [f"{part}_images", f"{part}_labels"]
        digits, photos = (read_arrays(opened[role].folder, names).values() for role in PARENTS)
        digits = _kinds(*digits, DIGITS)
        photos = _kinds(*photos, PHOTOS.values())
        framed = np.pad(np.concatenate(digits), ((0, 0), (2, 2), (2, 2)))
        arrays[f"{part}_digit"] = pool(framed, SIDE // side).astype(np.int16)
        arrays[f"{part}_photo"] = pool(np.concatenate(photos), SIDE // side).astype(np.int16)
        numbers[part] = {"digit": _ranges(digits), "photo": _ranges(photos)}
    for split in SPLITS:
        arrays[f"{split}_group"] = np.repeat(np.arange(4), np.ravel(wanted[split]))[None].repeat(repetitions, 0)
    drawn = [_repetition(numbers, wanted, sizes, (options.seed, r)) for r in range(repetitions)]
    arrays |= {f"{split}_pair": np.stack([one[split] for one in drawn]).astype(np.int32) for split in SPLITS}
    agreement = f"{100 * correlation:g} % agree"
    facts = parents.joint_facts(opened)
    facts |= {
        "kind": min((above[role]["kind"] for role in above), key=lambda kind: kind == "real"),
        "label": f"Dominoes of {above['digits']['label']} and {above['photos']['label']} "
        f"({2 * side} x {side}, {agreement}, n = {2 * options.train:,})",
        "citation": f"{facts['citation']} Dominoes: {CITATION}",
        "builder": "dominoes",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def _kinds(images: np.ndarray, labels: np.ndarray, kinds: Iterable[int]) -> list[np.ndarray]:
    """Images of each of these labels."""
    return [images[labels == kind] for kind in kinds]


def _ranges(kinds: list[np.ndarray]) -> list[np.ndarray]:
    """Numbers of each kind's members in the concatenation of all."""
    ends = np.cumsum([len(kind) for kind in kinds])
    return [np.arange(end - len(kind), end) for kind, end in zip(kinds, ends, strict=True)]


def _repetition(numbers: Mapping, wanted: Mapping, sizes: Mapping, seed: tuple[int, int]) -> dict[str, np.ndarray]:
    """Pairs ``[n, 2]`` of each split."""
    found: dict[str, np.ndarray] = {}
    for part, splits in (("train", ("train", "validation")), ("test", ("test",))):
        rng = np.random.default_rng(stable_seed("dominoes", *seed, part))
        left = {kind: [rng.permutation(members) for members in numbers[part][kind]] for kind in ("digit", "photo")}
        for split in splits:
            pairs = []
            for c in range(len(PHOTOS)):
                for digit in DIGITS:
                    count, taken = wanted[split][c][digit], []
                    for kind, which in (("digit", digit), ("photo", c)):
                        if len(left[kind][which]) < count:
                            allowed = f"fewer pictures: the {part} files have too few {kind}s"
                            raise refusal("dominoes", split, sizes[split], allowed)
                        chosen, left[kind][which] = np.split(left[kind][which], [count])
                        taken.append(chosen)
                    pairs.append(np.stack(taken, 1))
            found[split] = np.concatenate(pairs)
    return found


def pictures(arrays: Mapping[str, np.ndarray], split: str, repetition: int) -> np.ndarray:
    """Pictures of one repetition in levels, ``[n, 2 s, s, 3]`` int16: digit above, photo below."""
    part = "test" if split == "test" else "train"
    digit, photo = arrays[f"{split}_pair"][repetition].T
    top = np.repeat(arrays[f"{part}_digit"][digit][..., None], 3, axis=3)
    return np.concatenate([top, arrays[f"{part}_photo"][photo]], axis=1)


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split, class and group of one repetition; sample shape; mean and std of training pixels in [0, 1]."""
    found = {}
    for split in SPLITS:
        group = arrays[f"{split}_group"][0]
        found[split] = counts(group // 2) | counts(group, GROUPS)
    shown = pictures(arrays, "train", 0).astype(np.int64)
    levels = float(arrays["levels"])
    mean = int(shown.sum()) / shown.size / levels
    std = (int((shown**2).sum()) / shown.size / levels**2 - mean**2) ** 0.5
    return {"counts": found, "shape": [3, *shown.shape[1:3]], "mean": mean, "std": std}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """Pictures, classes and groups of the given repetitions (``R'`` of them).

    Returns:
        ``images [R', n, 2 s, s, 3]`` int16 with ``mean`` and ``std`` ``[R', 3]`` in the same units, ``label [R', n]``
        (0 automobile, 1 truck) and ``group [R', n]`` (numbers of :data:`GROUPS`), int64.
    """
    part = "test" if split == "test" else "train"
    names = ["levels", "scaling", f"{part}_digit", f"{part}_photo", f"{split}_pair", f"{split}_group"]
    held = read_split("dominoes", path, SPLITS, split, repetitions, names, f"{split}_pair")
    group = held[f"{split}_group"][list(repetitions)].astype(np.int64)
    mean, std = (np.full((len(repetitions), 3), value * float(held["levels"])) for value in held["scaling"])
    images = np.stack([pictures(held, split, r) for r in repetitions])
    return {"images": images, "mean": mean, "std": std, "label": group // 2, "group": group}
