"""skygroups: CIFAR-10 photos with CelebA's proportions of a class and a spurious attribute; a stand-in for CelebA.

The class is vehicle or animal, the attribute a blue border: photos are as they are, and most planes and ships have sky
or sea around them. A pixel is blue where ``B >= G >= R - 0.02``, ``B - R > 0.06`` and the largest of the three is above
0.3; a photo is *blue* if more than 70 % of its 4-pixel frame is, *plain* if less than 20 %; what lies between is left
out. Training photos have the proportions of CelebA's four groups (Sagawa et al. 2020); the rarest, blond men there, are
blue animals here. Validation photos are from CIFAR-10's training split as well, test photos from its test split, both
as many in each group.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.apportion import by_largest_remainder
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import counts, read_arrays, read_same

SPLITS = ("train", "validation", "test")
GROUPS = ("vehicle_plain", "vehicle_blue", "animal_plain", "animal_blue")
CELEBA = (71629, 66874, 22880, 1387)  # other hair: women, men; blond: women, men; training split
ANIMALS = (2, 3, 4, 5, 6, 7)  # bird, cat, deer, dog, frog, horse
FRAME, BLUE, PLAIN = 4, 0.7, 0.2
PARENTS = {"photos": ("cifar10", None)}  # without it, drawings take their place, for tests


class Options(Settings):
    """Photos with CelebA's proportions of a class and a spurious attribute, the blue border."""

    train: int = Field(3000, ge=10, description="photos to train with")
    validation_per_group: int = Field(100, ge=1, description="photos of each group to validate with")
    test_per_group: int = Field(120, ge=1, description="photos of each group to test with")
    seed: int = Field(0, ge=0, description="seed of the draws")


def blue_share(images: np.ndarray) -> np.ndarray:
    """Share of blue pixels in the frame of each image; ``images [n, H, W, 3]`` uint8."""
    inner = np.zeros(images.shape[1:3], bool)
    inner[FRAME:-FRAME, FRAME:-FRAME] = True
    frame = images[:, ~inner].astype(np.float32) / 255
    red, green, blue = frame[..., 0], frame[..., 1], frame[..., 2]
    return ((blue >= green) & (green >= red - 0.02) & (blue - red > 0.06) & (frame.max(-1) > 0.3)).mean(1)


def groups_of(images: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Group of each photo, -1 where the border is neither blue nor plain; ``label``: CIFAR-10's ten classes."""
    share = blue_share(images)
    group = 2 * np.isin(label, ANIMALS) + (share > BLUE)
    return np.where((share > BLUE) | (share < PLAIN), group, -1)


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ``{split}_images [n, 32, 32, 3]`` uint8, ``{split}_label [n]``, ``{split}_group [n]`` in random order."""
    options = checked(Options, config, "skygroups")
    each = {"validation": options.validation_per_group, "test": options.test_per_group}
    wanted = {"train": by_largest_remainder(options.train, CELEBA).tolist()}
    wanted |= {split: [count] * len(GROUPS) for split, count in each.items()}
    rng = np.random.default_rng(stable_seed("skygroups", options.seed))
    if opened := parents.opened("skygroups", PARENTS, inputs):
        photos = opened["photos"]
        pool = read_arrays(photos.folder, ["train_images", "train_labels", "test_images", "test_labels"])
        label = "skygroups: CIFAR-10 photos, animal/vehicle x blue border (not CelebA)"
        facts = photos.facts(photos.manifest["name"]) | {"kind": "real-other", "label": label}
    else:
        pool = _drawings(rng, {"train": sum(wanted["train"]) + sum(wanted["validation"]), "test": sum(wanted["test"])})
        nothing = "none: generated"
        facts = {"kind": "generated", "label": "drawings of two shapes x blue border (neither photos nor CelebA)",
                 "source": {"name": "drawings"}, "licence": nothing, "citation": nothing}  # fmt: skip
    arrays = _drawn(rng, pool, wanted)
    facts |= {"builder": "skygroups", "config": options.model_dump() | config}
    manifest.write(out, arrays, facts, describe(arrays))


def _drawn(rng: np.random.Generator, pool: Mapping, wanted: Mapping[str, list[int]]) -> dict[str, np.ndarray]:
    """Photos of each split, no photo twice; validation comes first where both take from the same photos."""
    arrays = {}
    free = {split: groups_of(pool[f"{split}_images"], pool[f"{split}_labels"]) for split in ("train", "test")}
    for split in ("validation", "train", "test"):
        origin = "test" if split == "test" else "train"
        chosen, group = [], []
        for number, count in enumerate(wanted[split]):
            there = np.flatnonzero(free[origin] == number)
            if len(there) < count:
                raise UserError(f"skygroups: {split} needs {count} {GROUPS[number]}; allowed: up to {len(there)}")
            chosen.append(rng.permutation(there)[:count])
            group += [number] * count
        chosen, group = np.concatenate(chosen), np.array(group)
        free[origin][chosen] = -1
        order = rng.permutation(len(chosen))
        arrays[f"{split}_images"] = pool[f"{origin}_images"][chosen[order]]
        arrays[f"{split}_group"] = group[order].astype(np.int64)
        arrays[f"{split}_label"] = arrays[f"{split}_group"] // 2
    return arrays


def _drawings(rng: np.random.Generator, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Boxes (vehicles) and discs (animals) on blue or grey ground, as many as needed of each kind."""
    pool, rows = {}, np.arange(32)
    for split, size in sizes.items():
        label, blue = (part.ravel() for part in np.meshgrid([0, 2], [0, 1], indexing="ij"))
        label, blue = np.repeat(label, size), np.repeat(blue, size)
        ground = rng.integers(90, 130, (len(label), 32, 32, 1))
        images = ground + np.where(blue[:, None], [0, 10, 90], 0)[:, None, None]
        centre, radius = rng.integers(13, 19, (2, len(label), 1, 1)), rng.integers(5, 9, (len(label), 1, 1))
        dy, dx = np.abs(rows[:, None] - centre[0]), np.abs(rows[None, :] - centre[1])
        inside = np.where(label[:, None, None] == 0, np.maximum(dy, dx) <= radius, dy**2 + dx**2 <= radius**2)
        images[inside] = rng.integers(0, 256, (int(inside.sum()), 3))
        pool |= {f"{split}_images": images.astype(np.uint8), f"{split}_labels": label.astype(np.uint8)}
    return pool


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and group, shape, mean and standard deviation of training pixels in [0, 1]."""
    pixels = arrays["train_images"].astype(np.float64) / 255
    found = {split: counts(arrays[f"{split}_group"], GROUPS) for split in SPLITS}
    return {"counts": found, "shape": [3, 32, 32], "mean": float(pixels.mean()), "std": float(pixels.std())}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """``images [1, n, 32, 32, 3]``, ``label`` and ``group`` ``[1, n]``: the same in every repetition."""
    return read_same("skygroups", path, SPLITS, split, repetitions, "images", "label", "group")
