"""Fine-tuning (Fig. 22): a data set of pictures together with the weights that a network starts from.

The lower blocks of the network can be kept fixed: then what they make of every picture (and of its mirror image, for
training) is computed here, once, and stands in the place of the pictures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.data import registry
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.store.options import Options, check_request

DEFAULTS = {"classes": 10, "begin": 0, "side": 64, "new": ["classifier"]}
SPLITS = ("train", "validation", "test")
SETS = ("majority", "minority")
WEIGHT = "weight:"


def classes(config: Mapping) -> int:
    """Number of classes."""
    return int({**DEFAULTS, **config}["classes"])


def build(config: dict, parents: Mapping[str, Path], out: Path) -> None:
    """Write what the network reads, per repetition, and the weights it starts from.

    Arrays, for ``R`` repetitions: ``<split>_inputs [R, n, H, W, C]`` (the pictures as the parent gives them, or, with
    ``begin`` above 0, float32 outputs of the blocks before that one), ``train_mirrored`` likewise (with ``begin``
    above 0), ``<split>_label [R, n]``, ``mean`` and ``std`` ``[R, C]`` (0 and 1 with ``begin`` above 0), ``majority``
    and ``minority`` (class numbers), ``weight:<name>`` (parameters and statistics of the blocks that are trained).

    Args:
        config: ``classes`` of the pictures; ``begin``: first block that is trained (see
            :mod:`muon_imbalance.models.modules.efficientnet_lite`; 0: the whole network); ``side``: pixels that
            pictures are enlarged to, with ``begin`` above 0; ``new``: layers that start anew, first parts of their
            names.
        parents: folders of ``pictures`` (builder step_imbalance) and ``weights`` (builder pretrained).
        out: folder to write.

    Raises:
        UserError: a value out of range, an unknown key, or parents of another kind.
    """
    options = Options("transfer", config, DEFAULTS)
    begin, side = options.integer("begin", 0), options.integer("side", 8)
    above = {role: manifest.read(parents[role]) for role in ("pictures", "weights")}
    module, given = registry.module(above["pictures"]["builder"]), above["pictures"]["config"]
    if not hasattr(module, "class_sets") or above["weights"]["builder"] != "pretrained":
        builders = {role: held["builder"] for role, held in above.items()}
        raise options.refuse("begin", f"parents of the builders step_imbalance and pretrained, not {builders}")
    if options.integer("classes", 2) != module.classes(given):
        raise options.refuse("classes", f"{module.classes(given)}, as the pictures have")

    weights = registry.module("pretrained").load(parents["weights"])
    lower = _lower(weights, above["weights"]["config"].get("untrained", "lite0"), begin, side) if begin else None
    arrays: dict[str, np.ndarray] = {name: np.array(which) for name, which in module.class_sets(given).items()}
    for split in SPLITS:
        each = [module.load(parents["pictures"], split, [r]) for r in range(given["repetitions"])]
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
    left_out = (*below, *(f"{name}." for name in options.values["new"]))
    arrays |= {WEIGHT + name: array for name, array in weights.items() if not name.startswith(left_out)}
    fixed = f", stem and blocks 0 to {begin - 1} fixed" if begin else ""
    kinds = [held["kind"] for held in above.values()]
    facts = {
        "name": above["pictures"]["name"],
        "kind": max(kinds, key=manifest.KINDS.index),
        "label": f"{above['pictures']['label']}; from {above['weights']['label']}{fixed}",
        "source": {role: {"sha256": held["sha256"], **held["source"]} for role, held in above.items()},
        "licence": "; ".join(dict.fromkeys(held["licence"] for held in above.values())),
        "citation": " ".join(dict.fromkeys(held["citation"] for held in above.values())),
        "builder": "transfer",
        "config": options.values,
    }
    manifest.write(out, arrays, facts)


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
    counts = {}
    for split in SPLITS:
        label = arrays[f"{split}_label"][0]
        counts[split] = {"all": len(label)} | {f"class_{c}": int(n) for c, n in enumerate(np.bincount(label))}
        counts[split] |= {name: int(np.isin(label, arrays[name]).sum()) for name in SETS}
    inputs = arrays["train_inputs"].astype(np.float64)
    height, width, channels = inputs.shape[2:]
    return {"counts": counts, "shape": [channels, height, width], "mean": inputs.mean(), "std": inputs.std()}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """Inputs of a split in the given repetitions (``R'`` of them).

    Returns:
        ``images [R', n, H, W, C]``, ``label [R', n]``, ``mean`` and ``std`` ``[R', C]``; for training ``mirrored``
        as ``images``, where the lower blocks are fixed.

    Raises:
        UserError: unknown split or repetition, or an unfinished or damaged folder.
    """
    check_request("transfer", split, SPLITS, [0], 1)
    repetitions = list(repetitions)
    names = {"images": f"{split}_inputs", "label": f"{split}_label", "mean": "mean", "std": "std"}
    if split == "train" and manifest.read(path)["config"]["begin"]:
        names["mirrored"] = "train_mirrored"
    held = read_arrays(path, list(names.values()))
    check_request("transfer", split, SPLITS, repetitions, len(held["mean"]))
    return {key: held[name][repetitions] for key, name in names.items()}


def start(path: Path) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Weights to start from, by name, and the sets of classes."""
    held = read_arrays(path)
    weights = {name.removeprefix(WEIGHT): array for name, array in held.items() if name.startswith(WEIGHT)}
    return weights, {name: held[name].tolist() for name in SETS}
