"""What all text data sets share: their arrays, their manifest and how they are read.

Arrays, for a vocabulary of ``V`` pieces: ``<split>_tokens [n]`` (all texts in a row, see :func:`tokenizer.stream`),
``<split>_starts [D + 1]``, ``<split>_text`` (UTF-8 bytes, texts apart by a zero byte), ``tokenizer`` (bytes),
``count [V]`` (in the training text), ``bucket [V]`` (:mod:`muon_imbalance.data.text.buckets`), ``lower_half [V]``,
``cuts [2]``, ``context []``, ``whole_texts []`` (samples are texts). A generated
language adds what its grammar knows of each validation token:
``best_1 [m]``, ``best_5 [m]`` (whether it is among the grammar's 1 and 5 most probable next words) and
``surprise [m]`` (``-ln p`` of it, in nats).
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import check_request, read_arrays
from muon_imbalance.data.text import buckets, tokenizer
from muon_imbalance.data.text.tokenizer import PADDING

SPLITS = ("train", "validation")


class TextSettings(Settings):
    """Options that every text data set has."""

    tokenizer: Literal["unigram", "word"] = Field("unigram", description="pieces of words, or whole words")
    vocabulary: int = Field(1000, ge=30, description="number of pieces (unigram)")
    buckets: Literal["types", "mass"] = Field("types", description="percentiles of frequency over pieces, or over text")
    context: int = Field(64, ge=2, description="tokens that a model sees at once")
    windows: Literal["stream", "texts"] = Field(
        "stream", description="samples: windows of all texts in a row, or each text from its beginning, cut at context"
    )
    seed: int = Field(0, ge=0, description="seed of the draws")


LIMITS = ("best_1", "best_5", "surprise")
REPEATABLE = 1_000_000
"""Repetitions differ in weights and order of batches only; the text is the same, so any number of them can be had."""


def arrays(
    options: TextSettings, texts: Mapping[str, Sequence[str]], split_digits: bool = False
) -> dict[str, np.ndarray]:
    """Arrays of a data set made of these training and validation texts; the tokenizer sees the training texts only.

    Raises:
        UserError: the text is too small for the vocabulary.
    """
    size = options.vocabulary if options.tokenizer == "unigram" else None
    model = tokenizer.train(texts["train"], options.tokenizer, size, split_digits)
    trained = tokenizer.Tokenizer(model)
    made = {
        "tokenizer": np.frombuffer(model, np.uint8),
        "context": np.array(options.context, np.int64),
        "whole_texts": np.array(options.windows == "texts"),
    }
    for split in SPLITS:
        made[f"{split}_tokens"], made[f"{split}_starts"] = tokenizer.stream(trained, texts[split])
        made[f"{split}_text"] = np.frombuffer("\0".join(texts[split]).encode(), np.uint8)
    count = np.bincount(made["train_tokens"], minlength=len(trained)).astype(np.int64)
    made |= {"count": count, "bucket": buckets.buckets(count, options.buckets), "lower_half": buckets.lower_half(count)}
    made["cuts"] = np.array(buckets.cuts(count, options.buckets))
    return made


def texts(held: Mapping[str, np.ndarray], split: str) -> list[str]:
    """The texts of a split."""
    return held[f"{split}_text"].tobytes().decode().split("\0")


def in_bucket(held: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Which pieces are in a bucket (``rare``, ``middle``, ``frequent``, ``lower_half``): ``[V]``."""
    return held["lower_half"] if name == "lower_half" else held["bucket"] == buckets.NAMES[name]


BUCKETS = (*buckets.NAMES, "lower_half")


def describe(held: Mapping[str, np.ndarray]) -> dict:
    """Counts of tokens per split and bucket, and of pieces (``pieces``: types, below ten occurrences, per bucket).

    Mean and standard deviation of the inputs do not exist: tokens are names.
    """
    counts = {}
    for split in SPLITS:
        tokens = held[f"{split}_tokens"][1:]
        counts[split] = {"all": len(tokens), "texts": len(held[f"{split}_starts"]) - 1}
        counts[split] |= {name: int(in_bucket(held, name)[tokens].sum()) for name in BUCKETS}
        counts[split]["unknown"] = int((tokens == tokenizer.UNKNOWN).sum())
    own = held["count"][tokenizer.CONTROLS :]
    counts["pieces"] = {"all": len(held["count"]), "below_ten": int((own < 10).sum())}
    counts["pieces"] |= {name: int(in_bucket(held, name).sum()) for name in BUCKETS}
    counts["pieces"] |= {"cut_50": float(held["cuts"][0]), "cut_80": float(held["cuts"][1])}
    if "surprise" in held:
        counts["grammar"] = {"all": len(held["surprise"]), **ceilings(held)}
    if "addition_train_texts" in held:
        counts["train"]["additions"] = int(held["addition_train_texts"])
        counts["additions"] = {"all": len(held["additions"])}
    return {"counts": counts, "shape": [int(held["context"])], "mean": None, "std": None}


def ceilings(held: Mapping[str, np.ndarray]) -> dict[str, float]:
    """What a predictor that knows the grammar reaches on the validation text, per bucket.

    ``top1_<bucket>``, ``top5_<bucket>``: share of tokens among its 1 and 5 most probable; ``nats_<bucket>``: mean of
    ``-ln p``, over all tokens an estimate of the conditional entropy.
    """
    tokens, found = held["validation_tokens"][1:], {}
    for name in ("all", *BUCKETS):
        chosen = tokens != tokenizer.UNKNOWN if name == "all" else in_bucket(held, name)[tokens]
        for key, array in (("top1", "best_1"), ("top5", "best_5"), ("nats", "surprise")):
            if chosen.any():
                found[f"{key}_{name}"] = float(held[array][chosen].mean(dtype=np.float64))
    return found


def write(
    out: Path, made: Mapping[str, np.ndarray], facts: Mapping[str, Any], options: TextSettings, config: Mapping
) -> None:
    """Publish a text data set; :class:`TextSettings` are recorded after the builder's own options.

    Args:
        facts: what its manifest says, all but ``config``.
    """
    values = options.model_dump() | config
    shared = {key: values.pop(key) for key in TextSettings.model_fields}
    source = {**facts["source"], "sentencepiece": version("sentencepiece")}
    manifest.write(out, made, {**facts, "source": source, "config": values | shared}, describe(made))


def load(path: Path, split: str, repetitions: Sequence[int]) -> dict[str, np.ndarray]:
    """A split's samples and the pieces' ``count``, ``bucket`` and ``lower_half``, each ``[V]``.

    ``windows [N, context + 1]`` int64 are tokens, padded with -1: inputs are all but the last, targets all but the
    first; of a stream, every token but its first is a target once. Validation of a generated language also has
    :data:`LIMITS`, ``[N, context]`` like the targets, of a mixture with additions ``additions`` and ``answers``
    (:mod:`addk`). The text is the same in all repetitions.
    """
    check_request("text", split, SPLITS, list(repetitions), REPEATABLE)
    held = read_arrays(path)
    context, tokens = int(held["context"]), held[f"{split}_tokens"]
    if bool(held["whole_texts"]):
        starts = held[f"{split}_starts"]
        spans = [(first - 1, min(last, first + context)) for first, last in zip(starts[:-1], starts[1:], strict=True)]
    else:
        spans = [(first, min(first + context + 1, len(tokens))) for first in range(0, len(tokens) - 1, context)]
    found = {"windows": _rows(tokens, spans, context + 1, PADDING).astype(np.int64)}
    found |= {key: held[key] for key in ("count", "bucket", "lower_half")}
    if split == "validation":
        targets = [(first, last - 1) for first, last in spans]  # limits are of targets: the first token has none
        found |= {key: _rows(held[key], targets, context, 0) for key in LIMITS if key in held}
        found |= {key: held[key] for key in ("additions", "answers") if key in held}
    return found


def _rows(values: np.ndarray, spans: Sequence[tuple[int, int]], width: int, padding: int) -> np.ndarray:
    """``values[first:last]`` of every span as a row ``[N, width]``."""
    rows = np.full((len(spans), width), padding, values.dtype)
    for row, (first, last) in zip(rows, spans, strict=True):
        row[: last - first] = values[first:last]
    return rows
