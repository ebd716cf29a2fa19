"""Fine-tuning (Fig. 22): a data set of pictures together with the weights that a network starts from.

The lower blocks of the network can be kept fixed: then what they make of every picture (and of its mirror image, for
training) is computed here, once, and stored in place of the pictures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.photos import step_imbalance
from muon_imbalance.data.pretrained import feature_sets
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import counts, read_arrays, read_split

PARENTS = {"pictures": ("step_imbalance",), "weights": ("network_weights",)}
SPLITS = ("train", "validation", "test")
SETS = ("majority", "minority")


class Options(Settings):
    """A data set of pictures together with the weights that a network starts from."""

    classes: int = Field(10, ge=2, description="number of classes of the pictures")
    begin: int = Field(0, ge=0, description="first block that is trained; 0: the whole network")
    side: int = Field(64, ge=8, description="pixels that pictures are enlarged to, with begin above 0")
    new: list[Annotated[str, Field(min_length=1)]] = Field(
        ["classifier"], min_length=1, description="layers that start at random: first parts of their names"
    )


def classes(config: Mapping) -> int:
    """Number of classes."""
    return checked(Options, config, "transfer").classes


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write what the network reads, per repetition, and the weights it starts from.

    Arrays, for ``R`` repetitions: ``<split>_inputs [R, n, H, W, C]`` (the pictures as the parent gives them, or, with
    ``begin`` above 0, float32 outputs of the blocks before that one), ``train_mirrored`` likewise (with ``begin``
    above 0), ``<split>_label [R, n]``, ``mean`` and ``std`` ``[R, C]`` (0 and 1 with ``begin`` above 0), ``majority``
    and ``minority`` (class numbers), ``weight/<name>`` (parameters and statistics of the blocks that are trained).
    """
    options = checked(Options, config, "transfer")
    begin, opened = options.begin, parents.opened("transfer", PARENTS, inputs)
    above = {role: opened[role].manifest for role in PARENTS}
    given = above["pictures"]["config"]
    if options.classes != given["classes"]:
        raise refusal("transfer", "classes", options.classes, f"{given['classes']}, as the pictures have")

    weights = read_arrays(opened["weights"].folder)
    size = above["weights"]["config"].get("untrained", "lite0")
    lower = _lower(weights, size, begin, options.side) if begin else None
    arrays: dict[str, np.ndarray] = {name: np.array(which) for name, which in step_imbalance.class_sets(given).items()}
    for split in SPLITS:
        each = [step_imbalance.load(opened["pictures"].folder, split, [r]) for r in range(given["repetitions"])]
        pictures = [held["images"][0] for held in each]
        arrays[f"{split}_label"] = np.stack([held["label"][0] for held in each])
        if lower is None:
            arrays[f"{split}_inputs"] = np.stack(pictures)
            arrays |= {name: np.stack([held[name][0] for held in each]) for name in ("mean", "std")}
            continue
        same = all(np.array_equal(images, pictures[0]) for images in pictures)  # test pictures
        computed = [lower(images) for images in (pictures[:1] if same else pictures)]
        arrays[f"{split}_inputs"] = np.stack(computed * len(pictures) if same else computed)
        if split == "train":
            arrays["train_mirrored"] = np.stack([lower(images[:, :, ::-1]) for images in pictures])
    if lower is not None:
        shape = (given["repetitions"], arrays["train_inputs"].shape[-1])
        arrays |= {"mean": np.zeros(shape), "std": np.ones(shape)}
    below = tuple(f"blocks.{i}." for i in range(begin)) + (("stem.",) if begin else ())
    left_out = (*below, *(f"{name}." for name in options.new))
    kept = {name: array for name, array in weights.items() if not name.startswith(left_out)}
    arrays |= feature_sets.stored_weights(kept)
    fixed = f", stem and blocks 0 to {begin - 1} fixed" if begin else ""
    facts = parents.joint_facts(opened) | {
        "name": above["pictures"]["name"],
        "label": f"{above['pictures']['label']}; from {above['weights']['label']}{fixed}",
        "builder": "transfer",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def _lower(weights: Mapping[str, np.ndarray], size: str, begin: int, side: int):
    """Function from pictures ``[n, H, W, 3]`` uint8 to the outputs of the blocks before ``begin``, ``[n, h, w, C]``."""
    import torch  # only where features are computed

    from muon_imbalance.models.modules import efficientnet_lite

    network = efficientnet_lite.EfficientNetLite(size=size)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})

    def outputs(images: np.ndarray) -> np.ndarray:
        computed = efficientnet_lite.lower_outputs(network, images, begin, side)
        return np.ascontiguousarray(np.concatenate([part.transpose(0, 2, 3, 1) for part in computed]))

    return outputs


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split, class and set of one repetition; shape of a sample; mean and std of training inputs."""
    found = {}
    for split in SPLITS:
        label = arrays[f"{split}_label"][0]
        found[split] = counts(label) | {name: int(np.isin(label, arrays[name]).sum()) for name in SETS}
    inputs = arrays["train_inputs"].astype(np.float64)
    height, width, channels = inputs.shape[2:]
    return {"counts": found, "shape": [channels, height, width], "mean": inputs.mean(), "std": inputs.std()}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """Inputs of a split in the given repetitions (``R'`` of them).

    Returns:
        ``images [R', n, H, W, C]``, ``label [R', n]``, ``mean`` and ``std`` ``[R', C]``; for training ``mirrored``
        as ``images``, where the lower blocks are fixed.
    """
    names = {"images": f"{split}_inputs", "label": f"{split}_label", "mean": "mean", "std": "std"}
    if split == "train" and manifest.read(path)["config"]["begin"]:
        names["mirrored"] = "train_mirrored"
    held = read_split("transfer", path, SPLITS, split, repetitions, names, "mean")
    return {key: array[list(repetitions)] for key, array in held.items()}


def start(path: Path) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Weights to start from, by name, and the sets of classes."""
    held = read_arrays(path, list(SETS))
    return feature_sets.weights(path), {name: held[name].tolist() for name in SETS}
