"""Stories mixed with additions (Fig. 28): one domain with a heavy tail of words, one that is a skill.

An addition is a line of three questions with one unknown ``k``: ``q : x , a : x + k``, with two-digit ``x`` and ``k``
out of a fixed set; only who finds ``k`` in the first two answers can give the third. It counts as solved if every digit
of the last answer and the end of the line are the most probable next tokens (which is what greedy decoding writes). The
digits of a number are tokens of their own.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.store.options import Options
from muon_imbalance.data.text import corpus
from muon_imbalance.data.text.corpus import describe, load
from muon_imbalance.data.text.tokenizer import END, Tokenizer

__all__ = ["build", "describe", "load"]

DEFAULTS = {
    "parent": "toystories",
    "texts": 900,
    "additions": 100,
    "validation_texts": 200,
    "validation_additions": 200,
    "k": [11, 23, 37, 52, 68],
    **corpus.SHARED,
}
QUESTIONS = 3
PADDING = -1


def addition(k: int, xs: tuple[int, ...]) -> tuple[str, str]:
    """A line without its last answer, and that answer."""
    *shown, last = (f"q : {_digits(x)} , a : {_digits(x + k)}" for x in xs)
    asked, _, answer = last.rpartition(" : ")
    return " ; ".join([*shown, asked]) + " :", answer


def _digits(number: int) -> str:
    return " ".join(str(number))


def build(config: dict, sources: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of :mod:`muon_imbalance.data.text.corpus`, with held-out additions.

    ``additions [n, L]`` int32 are lines in tokens, with an end before and after, padded with -1; ``answers [n, L]``
    marks what must be predicted. Training texts are stories and additions in one random order; validation texts are
    stories alone. ``addition_train_texts []`` counts the additions among the training texts.

    Args:
        config: ``texts`` stories (the first ones of the parent) and ``additions`` lines to train, as many as
            ``validation_*`` to validate, numbers ``k``, and the options of :data:`text.SHARED`.
        sources: ``{parent: folder of the stories}``.
        out: folder to write.

    Raises:
        UserError: bad config, or a parent with fewer stories.
    """
    options = Options("addk", config, DEFAULTS)
    name = options.text("parent")
    if name not in sources:
        raise options.refuse("parent", ", ".join(sorted(sources)) or "a text data set given as an input")
    above, held = manifest.read(sources[name]), read_arrays(sources[name])
    told = {}
    for split, key in (("train", "texts"), ("validation", "validation_texts")):
        own = corpus.texts(held, split)
        if options.integer(key, 1) > len(own):
            raise options.refuse(key, f"a whole number from 1 to {len(own)}, the {split} texts of {name}")
        told[split] = own[: options.integer(key, 1)]
    seed = options.integer("seed", 0)
    number = {split: options.integer(key, 1) for split, key in
              (("train", "additions"), ("validation", "validation_additions"))}  # fmt: skip
    lines = _lines(options, seed, sum(number.values()))
    train = [*told["train"], *(" ".join(line) for line in lines[: number["train"]])]
    order = np.random.default_rng(stable_seed("addk", seed, "order")).permutation(len(train))
    texts = {"train": [train[i] for i in order], "validation": told["validation"]}
    arrays = corpus.arrays(options, texts, split_digits=True)
    arrays |= _encoded(Tokenizer(arrays["tokenizer"]), lines[number["train"] :])
    arrays["addition_train_texts"] = np.array(number["train"], np.int64)
    share = number["train"] / len(train)
    label = f"{above['label'].split(';')[0]} with {share:.0%} additions; {len(train):,} texts to train"
    source = {"parent": name, "parent_sha256": above["sha256"], **above["source"]}
    described = corpus.facts(options, label, above["kind"], above["licence"], above["citation"], source)
    manifest.write(out, arrays, described)


def _lines(options: Options, seed: int, count: int) -> list[tuple[str, str]]:
    """``count`` different additions."""
    ks = options.values["k"]
    whole = isinstance(ks, list) and ks and all(isinstance(k, int) and not isinstance(k, bool) for k in ks)
    if not whole or len(set(ks)) < len(ks) or not 10 <= min(ks) <= max(ks) <= 99:
        raise options.refuse("k", "different numbers from 10 to 99")
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
