"""toynli: generated sentence pairs with MultiNLI's proportions of labels and negation; a stand-in for MultiNLI.

:mod:`muon_imbalance.data.text.nli_grammar` has the sentences. Training pairs have the proportions of MultiNLI's
training split (Sagawa et al. 2020); validation and test pairs are as many in each group. All pairs differ.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from muon_imbalance.common.apportion import by_largest_remainder
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.store import manifest
from muon_imbalance.data.text import nli_grammar, sentence_pairs

SPLITS, GROUPS = sentence_pairs.SPLITS, sentence_pairs.GROUPS
MULTINLI = (57498, 11158, 67376, 1521, 66630, 1992)  # training pairs of each group, in the order of GROUPS
describe = sentence_pairs.describe
load = partial(sentence_pairs.load, "toynli")


class Options(Settings):
    """Generated sentence pairs with MultiNLI's proportions of labels and negation."""

    train: int = Field(5120, ge=100, description="pairs to train with")
    validation_per_group: int = Field(100, ge=1, description="pairs of each group to validate with")
    test_per_group: int = Field(200, ge=1, description="pairs of each group to test with")
    seed: int = Field(0, ge=0, description="seed of the draws")


def classes(_: Mapping) -> int:
    """Number of classes."""
    return len(nli_grammar.LABELS)


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the pairs of each split in random order."""
    options = checked(Options, config, "toynli")
    each = {"validation": options.validation_per_group, "test": options.test_per_group}
    wanted = {"train": by_largest_remainder(options.train, MULTINLI).tolist()}
    wanted |= {split: [count] * len(GROUPS) for split, count in each.items()}
    rng = np.random.default_rng(stable_seed("toynli", options.seed))
    seen, arrays = set(), {}
    for split in SPLITS:
        pairs, label = [], []
        for group, count in enumerate(wanted[split]):
            name = nli_grammar.LABELS[group // 2]
            pairs += _distinct(rng, name, bool(group % 2), count, seen)
            label += [group // 2] * count
        order = rng.permutation(len(pairs))
        arrays |= sentence_pairs.arrays_of(split, [pairs[i] for i in order], np.array(label)[order])
    facts = {
        "kind": "generated",
        "label": f"toynli (generated, not MultiNLI; {len(arrays['train_label']):,} pairs)",
        "source": {"name": "grammar", "proportions": "MultiNLI, training split"},
        "licence": "none: generated",
        "citation": "Proportions, negation words: S. Sagawa et al. Distributionally robust neural networks. ICLR 2020.",
        "builder": "toynli",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def _distinct(rng, label: str, negated: bool, count: int, seen: set) -> list[tuple[str, str]]:
    """``count`` new pairs of one group."""
    found = []
    while len(found) < count:
        pair = nli_grammar.pair(rng, label, negated)
        if pair not in seen:
            seen.add(pair)
            found.append(pair)
    return found
