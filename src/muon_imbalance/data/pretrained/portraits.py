"""CelebA's pictures together with the weights that a network starts from; nothing of the network is frozen."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.settings import Settings, checked
from muon_imbalance.data.photos import celeba
from muon_imbalance.data.pretrained import feature_sets, network_weights
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.store.array_files import read_arrays

PARENTS = {"samples": ("celeba",), "weights": ("network_weights",)}
GROUPS, describe, weights = celeba.GROUPS, celeba.describe, feature_sets.weights


class Options(Settings):
    """CelebA's pictures together with the weights that a network starts from; there is nothing to choose."""


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of both parents."""
    checked(Options, config, "portraits")
    opened = parents.opened("portraits", PARENTS, inputs)
    arrays = read_arrays(opened["samples"].folder)
    arrays |= feature_sets.stored_weights(network_weights.load(opened["weights"].folder))
    samples, above = opened["samples"].manifest, opened["weights"].manifest
    facts = feature_sets.facts("portraits", samples, above, "", {})
    manifest.write(out, arrays, facts, describe(arrays))


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """As of the pictures, and ``groups [G]``."""
    return celeba.load(path, split, repetitions) | {"groups": np.array(GROUPS)}
