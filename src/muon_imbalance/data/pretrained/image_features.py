"""Photos as the first blocks of an EfficientNet-Lite see them; from there on the network is trained.

Features are ``[n, channels, rows, columns]`` float16, the input of block ``begin``.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from muon_imbalance.common.errors import UserError, refusal
from muon_imbalance.common.progress import Progress
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.photos import skygroups
from muon_imbalance.data.pretrained import feature_sets, network_weights
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.models.modules import efficientnet_lite

PARENTS = {"samples": ("skygroups",), "weights": ("network_weights",)}
describe, weights = feature_sets.describe, feature_sets.weights
load = partial(feature_sets.load, "image_features")


class Options(Settings):
    """Photos as the first blocks of an EfficientNet-Lite see them."""

    begin: int = Field(15, ge=1, description="first block that is trained")
    side: int = Field(64, ge=16, description="pixels to which photos are enlarged")
    size: Literal["lite0", "tiny"] = Field("lite0", description="size of the network (tiny: for tests)")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write features of every split and the weights of the blocks above.

    Raises:
        UserError: weights of another network, or of one without the block ``begin``.
    """
    options = checked(Options, config, "image_features")
    opened = parents.opened("image_features", PARENTS, inputs)
    samples, above = opened["samples"].manifest, opened["weights"].manifest
    begin, size = options.begin, options.size
    module = efficientnet_lite.EfficientNetLite(size=size)
    if begin >= module.end:
        raise refusal("image_features", "begin", begin, f"1 to {module.end - 1}")
    held = network_weights.load(opened["weights"].folder)
    try:
        module.load_state_dict({name: torch.from_numpy(array) for name, array in held.items()})
    except RuntimeError as error:
        raise UserError(f"image_features: weights {above['name']} are not those of {size}: {error}") from error
    arrays = {"groups": np.array(skygroups.GROUPS)}
    progress = Progress("features", sum(samples["counts"][split]["all"] for split in feature_sets.SPLITS), "photos")
    for split in feature_sets.SPLITS:
        loaded = skygroups.load(opened["samples"].folder, split)
        parts = []
        for part in efficientnet_lite.lower_outputs(module, loaded["images"][0], begin, options.side):
            parts.append(part.astype(np.float16))
            progress.update(len(part))
        arrays[f"{split}_features"] = np.ascontiguousarray(np.concatenate(parts))
        arrays |= {f"{split}_{name}": loaded[name][0] for name in ("label", "group")}
    upper = efficientnet_lite.EfficientNetLite(begin=begin, size=size).state_dict()
    arrays |= feature_sets.stored_weights({name: held[name] for name in upper})
    detail = f", at {options.side} px, blocks before {begin} of {module.end} frozen"
    facts = feature_sets.facts("image_features", samples, above, detail, options.model_dump() | config)
    manifest.write(out, arrays, facts, describe(arrays))
