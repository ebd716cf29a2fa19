"""Photos as the first blocks of an EfficientNet-Lite see them; from there on the network is trained.

Features are ``[n, channels, rows, columns]`` float16, the input of block ``begin``.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.progress import Progress
from muon_imbalance.data import registry
from muon_imbalance.data.pretrained import feature_sets, network_weights
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.options import Options
from muon_imbalance.models.modules import efficientnet_lite

DEFAULTS = {"begin": 15, "side": 64, "size": "lite0"}
PARENTS = ("samples", "weights")
describe, weights = feature_sets.describe, feature_sets.weights
load = partial(feature_sets.load, "image_features")


def classes(_: Mapping) -> int:
    """Number of classes."""
    return 2


def build(config: dict, parents: Mapping[str, Path], out: Path) -> None:
    """Write features of every split and the weights of the blocks above.

    Args:
        config: ``begin``, first block that is trained; ``side``, pixels to which photos are enlarged; ``size``, of
            the network.
        parents: ``{samples: photos in groups, weights: pretrained}``.
        out: folder to write.

    Raises:
        UserError: bad config, a parent missing, or weights of another network.
    """
    options = Options("image_features", config, DEFAULTS)
    for role in PARENTS:
        if role not in parents:
            raise UserError(f"image_features: parents lacks {role!r}; allowed: a data set for each of {PARENTS}")
    samples, above = manifest.read(parents["samples"]), manifest.read(parents["weights"])
    size = options.choice("size", tuple(efficientnet_lite.SIZES))
    module = efficientnet_lite.EfficientNetLite(size=size)
    begin, side = options.integer("begin", 1), options.integer("side", 16)
    if begin >= module.end:
        raise options.refuse("begin", f"1 to {module.end - 1}")
    held = network_weights.load(parents["weights"])
    try:
        module.load_state_dict({name: torch.from_numpy(array) for name, array in held.items()})
    except RuntimeError as error:
        raise UserError(f"image_features: weights {above['name']} are not those of {size}: {error}") from error
    source = registry.module(samples["builder"])
    arrays = {"groups": np.array(source.GROUPS)}
    progress = Progress("features", sum(samples["counts"][split]["all"] for split in feature_sets.SPLITS), "photos")
    for split in feature_sets.SPLITS:
        loaded = source.load(parents["samples"], split)
        parts = []
        for part in efficientnet_lite.lower_outputs(module, loaded["images"][0], begin, side):
            parts.append(part.astype(np.float16))
            progress.update(len(part))
        arrays[f"{split}_features"] = np.ascontiguousarray(np.concatenate(parts))
        arrays |= {f"{split}_{name}": loaded[name][0] for name in ("label", "group")}
    upper = efficientnet_lite.EfficientNetLite(begin=begin, size=size).state_dict()
    arrays |= {feature_sets.PREFIX + name: held[name] for name in upper}
    detail = f", at {side} px, blocks before {begin} of {module.end} frozen"
    facts = feature_sets.facts("image_features", samples, above, detail, options.values)
    manifest.write(out, arrays, facts)
