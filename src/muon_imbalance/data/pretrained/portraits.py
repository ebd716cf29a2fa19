"""CelebA's pictures together with the weights that a network starts from; nothing of the network is frozen."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.photos import celeba
from muon_imbalance.data.pretrained import feature_sets, network_weights
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.store.options import Options

PARENTS = ("samples", "weights")
classes, weights = celeba.classes, feature_sets.weights
GROUPS = celeba.GROUPS


def build(config: dict, parents: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of both parents.

    Args:
        config: empty.
        parents: ``{samples: CelebA, weights: pretrained}``.
        out: folder to write.

    Raises:
        UserError: a key in the config, or a parent missing.
    """
    Options("portraits", config, {})
    for role in PARENTS:
        if role not in parents:
            raise UserError(f"portraits: parents lacks {role!r}; allowed: a data set for each of {PARENTS}")
    samples, above = manifest.read(parents["samples"]), manifest.read(parents["weights"])
    arrays = read_arrays(parents["samples"])
    arrays |= {feature_sets.PREFIX + name: array for name, array in network_weights.load(parents["weights"]).items()}
    facts = feature_sets.facts("portraits", samples, above, "", {})
    manifest.write(out, arrays, facts)


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """As of the pictures."""
    return celeba.describe(arrays)


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """As of the pictures, and ``groups [G]``."""
    return celeba.load(path, split, repetitions) | {"groups": np.array(GROUPS)}
