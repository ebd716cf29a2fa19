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
describe, classes = sentence_pairs.describe, sentence_pairs.classes
load = partial(sentence_pairs.load, "toynli")


class Options(Settings):
    """Generated sentence pairs with MultiNLI's proportions of labels and negation."""

    train: int = Field(5120, ge=100, description="pairs to train with")
    validation_per_group: int = Field(100, ge=1, description="pairs of each group to validate with")
    test_per_group: int = Field(200, ge=1, description="pairs of each group to test with")
    seed: int = Field(0, ge=0, description="seed of the draws")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the pairs of each split in random order."""
    options = checked(Options, config, "toynli")
    each = {"validation": options.validation_per_group, "test": options.test_per_group}
    wanted = {"train": by_largest_remainder(options.train, MULTINLI).tolist()}
    wanted |= {split: [count] * len(GROUPS) for split, count in each.items()}
    rng = np.random.default_rng(stable_seed("toynli", options.seed))
    seen, arrays = set(), {}
    for split in SPLITS:
        pairs: dict[tuple[str, str], int] = {}  # label of each
        for group, count in enumerate(wanted[split]):
            end = len(pairs) + count
            while len(pairs) < end:
                pair = nli_grammar.pair(rng, nli_grammar.LABELS[group // 2], bool(group % 2))
                if pair not in seen:
                    seen.add(pair)
                    pairs[pair] = group // 2
        order = rng.permutation(len(pairs))
        held, label = list(pairs), np.array(list(pairs.values()))
        arrays |= sentence_pairs.arrays_of(split, [held[i] for i in order], label[order])
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
