"""TinyStories, the paper's corpus (Figs 9, 25, 26, 28): a random part of each official split.

In the official files stories end with a line ``<|endoftext|>``. No hash of these files is known to this project; the
manifest records the hash of what was drawn from them.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, checked
from muon_imbalance.data import sources
from muon_imbalance.data.text import corpus

describe, load = corpus.describe, corpus.load
SEPARATOR = "<|endoftext|>"


class Options(corpus.TextSettings):
    """TinyStories, the paper's corpus: a random part of each official split."""

    source: Literal["tinystories_hub", "tinystories_folder"] = Field(
        "tinystories_hub", description="official host, or the files in data_dir"
    )
    train: int = Field(10000, ge=1, description="stories to train with")
    validation: int = Field(1000, ge=1, description="stories to validate with")
    vocabulary: int = Field(2000, ge=30, description="number of pieces (unigram)")
    context: int = Field(256, ge=2, description="tokens that a model sees at once")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of :mod:`muon_imbalance.data.text.corpus`.

    ``inputs``: files ``train`` and ``validation``.
    """
    options = checked(Options, config, "tinystories")
    source, seed = sources.get(options.source), options.seed
    files, _ = source.files(inputs)
    drawn = {}
    for split, count in (("train", options.train), ("validation", options.validation)):
        drawn[split] = sample(read(files[split]), count, np.random.default_rng(stable_seed("tinystories", seed, split)))
        if len(drawn[split]) < count:
            raise refusal("tinystories", split, count, f"up to {len(drawn[split]):,}, the stories there are")
    label = f"{source.label}; {len(drawn['train']):,} stories to train"
    arrays = corpus.arrays(options, drawn)
    corpus.write(out, arrays, source.facts() | {"builder": "tinystories", "label": label}, options, config)


def read(path: Path) -> Iterator[str]:
    """Stories of a file, one after another, each in one line; empty ones are left out."""
    lines: list[str] = []
    with Path(path).open(encoding="utf-8") as stream:
        for line in stream:
            if line.strip() == SEPARATOR:
                yield from _whole(lines)
                lines = []
            else:
                lines.append(line)
    yield from _whole(lines)


def _whole(lines: list[str]) -> list[str]:
    """A story in one line, as it will be trained on; none if there is nothing in it."""
    story = " ".join(" ".join(lines).split())
    return [story] if story else []


def sample(stories: Iterable[str], count: int, rng: np.random.Generator) -> list[str]:
    """``count`` of the stories, each equally likely, in one pass (reservoir sampling); all if there are fewer."""
    kept: list[str] = []
    for seen, story in enumerate(stories):
        if seen < count:
            kept.append(story)
        elif (place := int(rng.integers(seen + 1))) < count:
            kept[place] = story
    return kept
