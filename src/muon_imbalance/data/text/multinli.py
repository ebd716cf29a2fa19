"""MultiNLI: crowd-sourced sentence pairs with three labels, from the official files (JSON lines).

All labelled pairs of the training and the two development files are pooled and split at random, 50 % for training, 20 %
for validation, 30 % for testing, as the subgroup benchmark does (Sagawa et al. 2020; the test labels are not public).
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data import sources
from muon_imbalance.data.store import manifest
from muon_imbalance.data.text import sentence_pairs

SPLITS, GROUPS = sentence_pairs.SPLITS, sentence_pairs.GROUPS
PAIRS = {"train": 392702, "matched": 9815, "mismatched": 9832}  # with a label
SHARES = (0.5, 0.2)  # training, validation
describe = sentence_pairs.describe
load = partial(sentence_pairs.load, "multinli")


class Options(Settings):
    """MultiNLI: crowd-sourced sentence pairs with three labels."""

    source: Literal["multinli_hub", "multinli_folder"] = Field(
        "multinli_hub", description="official host, or the files in data_dir"
    )
    verify: bool = Field(True, description="refuse files with other numbers of labelled pairs than the official ones")
    seed: int = Field(0, ge=0, description="seed of the split")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the pairs of each split.

    ``inputs``: files ``train``, ``matched`` and ``mismatched``; no hash of the official ones is published.

    Raises:
        UserError: a line that is no pair, or another number of pairs.
    """
    options = checked(Options, config, "multinli")
    source, verify = sources.get(options.source), options.verify
    files, official = source.files(inputs, verify)
    pairs, labels = [], []
    for role, expected in PAIRS.items():
        found = read(files[role])
        if len(found) != expected and verify:
            raise UserError(
                f"multinli: {files[role]} has {len(found):,} labelled pairs, expected {expected:,}; "
                "get the official file, or set verify: false (figures then say so)"
            )
        official &= len(found) == expected
        pairs += [(first, second) for first, second, _ in found]
        labels += [sentence_pairs.LABELS.index(label) for _, _, label in found]
    order = np.random.default_rng(stable_seed("multinli", options.seed)).permutation(len(pairs))
    ends = np.cumsum([round(share * len(pairs)) for share in SHARES])
    label, arrays = np.array(labels), {}
    for split, places in zip(SPLITS, np.split(order, ends), strict=True):
        arrays |= sentence_pairs.arrays_of(split, [pairs[i] for i in places], label[places])
    facts = source.facts() | {"builder": "multinli", "config": options.model_dump() | config}
    facts["source"] |= {"verified_by": "number of labelled pairs" if official else "nothing"}
    if not official:
        facts |= {"kind": "real-other", "label": "pairs of the user in MultiNLI's format (unverified)"}
    manifest.write(out, arrays, facts, describe(arrays))


def read(path: Path) -> list[tuple[str, str, str]]:
    """Labelled pairs of a file, ``(sentence1, sentence2, label)``; without those that have none (``-``).

    Raises:
        UserError: a line is not JSON with ``sentence1, sentence2, gold_label``, or has another label.
    """
    found = []
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                pair = entry["sentence1"], entry["sentence2"], entry["gold_label"]
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{path}, line {number}: no sentence pair in MultiNLI's format ({error})") from error
            if pair[2] in sentence_pairs.LABELS:
                found.append(pair)
            elif pair[2] != "-":
                raise UserError(
                    f"{path}, line {number}: gold_label = {pair[2]!r}; allowed: {', '.join(sentence_pairs.LABELS)}, -"
                )
    return found
