"""Stories mixed with additions (Fig. 28): one domain with a heavy tail of words, one that is a skill.

An addition is a line of three questions with one unknown ``k``: ``q : x , a : x + k``, with two-digit ``x`` and ``k``
out of a fixed set; only who finds ``k`` in the first two answers can give the third. It counts as solved if every digit
of the last answer and the end of the line are the most probable next tokens (which is what greedy decoding writes). The
digits of a number are tokens of their own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import model_validator

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, checked
from muon_imbalance.data.store import parents
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.text import corpus
from muon_imbalance.data.text.tokenizer import END, PADDING, Tokenizer

describe, load = corpus.describe, corpus.load
PARENTS = {"parent": ("toystories", "tinystories", "tales")}
QUESTIONS = 3


class Options(corpus.TextSettings):
    """Stories mixed with additions: one domain with a heavy tail of words, one that is a skill."""

    parent: str = Field("toystories", min_length=1, description="text data set whose first texts are the stories")
    texts: int = Field(900, ge=1, description="stories to train with")
    additions: int = Field(100, ge=1, description="additions to train with")
    validation_texts: int = Field(200, ge=1, description="stories to validate with")
    validation_additions: int = Field(200, ge=1, description="additions to validate with")
    k: list[Annotated[int, Field(ge=10, le=99)]] = Field(
        [11, 23, 37, 52, 68], min_length=1, description="numbers that are added, all different"
    )

    @model_validator(mode="after")
    def _different(self):
        if len(set(self.k)) < len(self.k):
            raise ValueError(f"k = {self.k}; allowed: different numbers from 10 to 99")
        return self


def addition(k: int, xs: tuple[int, ...]) -> tuple[str, str]:
    """A line without its last answer, and that answer."""
    *shown, last = (f"q : {_digits(x)} , a : {_digits(x + k)}" for x in xs)
    asked, _, answer = last.rpartition(" : ")
    return " ; ".join([*shown, asked]) + " :", answer


def _digits(number: int) -> str:
    return " ".join(str(number))


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of :mod:`muon_imbalance.data.text.corpus`, with held-out additions.

    ``additions [n, L]`` int32 are lines in tokens, with an end before and after, padded with -1; ``answers [n, L]``
    marks what must be predicted. Training texts are stories and additions in one random order; validation texts are
    stories alone. ``addition_train_texts []`` counts the additions among the training texts.
    """
    options = checked(Options, config, "addk")
    parent = parents.opened("addk", PARENTS, inputs, options.parent)["parent"]
    held, seed, stories = read_arrays(parent.folder), options.seed, {}
    for split, key, count in (
        ("train", "texts", options.texts), ("validation", "validation_texts", options.validation_texts)
    ):  # fmt: skip
        there = corpus.texts(held, split)
        if count > len(there):
            allowed = f"a whole number from 1 to {len(there)}, the {split} texts of {options.parent}"
            raise refusal("addk", key, count, allowed)
        stories[split] = there[:count]
    lines = _lines(options.k, seed, options.additions + options.validation_additions)
    train = [*stories["train"], *(" ".join(line) for line in lines[: options.additions])]
    order = np.random.default_rng(stable_seed("addk", seed, "order")).permutation(len(train))
    texts = {"train": [train[i] for i in order], "validation": stories["validation"]}
    arrays = corpus.arrays(options, texts, split_digits=True)
    arrays |= _encoded(Tokenizer(arrays["tokenizer"]), lines[options.additions :])
    arrays["addition_train_texts"] = np.array(options.additions, np.int64)
    share = options.additions / len(train)
    label = f"{parent.manifest['label'].split(';')[0]} with {share:.0%} additions; {len(train):,} texts to train"
    corpus.write(out, arrays, parent.facts(options.parent) | {"builder": "addk", "label": label}, options, config)


def _lines(ks: list[int], seed: int, count: int) -> list[tuple[str, str]]:
    """``count`` different additions."""
    rng, lines = np.random.default_rng(stable_seed("addk", seed, "additions")), {}
    while len(lines) < count:  # 90^3 lines for each k: repeats are rare
        k, *xs = rng.choice(ks), *rng.integers(10, 100, QUESTIONS)
        lines.setdefault(addition(int(k), tuple(map(int, xs))))
    return list(lines)


def _encoded(tokenizer: Tokenizer, lines: list[tuple[str, str]]) -> dict[str, np.ndarray]:
    rows = [([END, *tokenizer.encode(asked)], [*tokenizer.encode(answer), END]) for asked, answer in lines]
    length = max(len(asked) + len(answer) for asked, answer in rows)
    tokens, answers = np.full((len(rows), length), PADDING, np.int32), np.zeros((len(rows), length), bool)
    for i, (asked, answer) in enumerate(rows):
        stop = len(asked) + len(answer)
        tokens[i, :stop] = [*asked, *answer]
        answers[i, len(asked) : stop] = True
    return {"additions": tokens, "answers": answers}
