"""What data sets of sentence pairs share: labels, groups by negation, and how they are stored.

A group is a label and whether the second sentence holds a negation word (Gururangan et al. 2018; Sagawa et al. 2020,
"Distributionally robust neural networks for group shifts": nobody, no, never, nothing).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from muon_imbalance.data.store.array_files import counts, read_arrays, read_same
from muon_imbalance.data.text.nli_grammar import LABELS, NEGATIONS

SPLITS = ("train", "validation", "test")
GROUPS = tuple(f"{label}_{kind}" for label in LABELS for kind in ("plain", "negation"))
WORD = re.compile(r"[a-z']+")


def classes(_: Mapping) -> int:
    """Number of classes."""
    return len(LABELS)


def negated(sentence: str) -> bool:
    """Whether one of the negation words occurs in it."""
    return not set(NEGATIONS).isdisjoint(WORD.findall(sentence.lower()))


def packed(texts: Sequence[str], name: str) -> dict[str, np.ndarray]:
    """Texts as their UTF-8 bytes ``{name}_bytes [total]`` uint8, and where each ends, ``{name}_ends [n]`` int64."""
    coded = [text.encode() for text in texts]
    ends = np.cumsum([len(code) for code in coded], dtype=np.int64)
    return {f"{name}_bytes": np.frombuffer(b"".join(coded), np.uint8), f"{name}_ends": ends}


def unpacked(arrays: Mapping[str, np.ndarray], name: str) -> list[str]:
    """The texts that :func:`packed` was given."""
    data, ends = arrays[f"{name}_bytes"].tobytes(), arrays[f"{name}_ends"].tolist()
    return [data[start:end].decode() for start, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []


def arrays_of(split: str, pairs: Sequence[tuple[str, str]], label: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of one split: both sentences, ``{split}_label [n]`` and ``{split}_group [n]`` int64."""
    second = np.array([negated(hypothesis) for _, hypothesis in pairs], np.int64)
    arrays = {f"{split}_label": label.astype(np.int64), f"{split}_group": 2 * label.astype(np.int64) + second}
    for place, name in enumerate(("premise", "hypothesis")):
        arrays |= packed([pair[place] for pair in pairs], f"{split}_{name}")
    return arrays


def pairs_of(path: Path, split: str) -> list[tuple[str, str]]:
    """Sentence pairs of a split."""
    names = [f"{split}_{name}_{part}" for name in ("premise", "hypothesis") for part in ("bytes", "ends")]
    held = read_arrays(path, names)
    return list(zip(*(unpacked(held, f"{split}_{name}") for name in ("premise", "hypothesis")), strict=True))


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and group; mean and standard deviation of the number of characters of a training pair."""
    lengths = sum(np.diff(arrays[f"train_{name}_ends"], prepend=0) for name in ("premise", "hypothesis"))
    found = {split: counts(arrays[f"{split}_group"], GROUPS) for split in SPLITS}
    return {"counts": found, "shape": [2], "mean": float(lengths.mean()), "std": float(lengths.std())}


def load(owner: str, path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """``label`` and ``group`` ``[1, n]``, the same in every repetition (sentences: :func:`pairs_of`)."""
    return read_same(owner, path, SPLITS, split, repetitions, "label", "group")
