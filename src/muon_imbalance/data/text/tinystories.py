"""TinyStories, the paper's corpus (Figs 9, 25, 26, 28): a random part of each official split.

In the official files stories end with a line ``<|endoftext|>``. No hash of these files is known to this project; the
manifest records the hash of what was drawn from them.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.data import sources
from muon_imbalance.data.sources import verified
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.options import Options
from muon_imbalance.data.text import corpus
from muon_imbalance.data.text.corpus import describe, load

__all__ = ["build", "describe", "load", "read"]

SOURCES = ("tinystories_hub", "tinystories_folder")
DEFAULTS = {
    "source": SOURCES[0], "train": 10000, "validation": 1000, **corpus.SHARED, "vocabulary": 2000, "context": 256
}  # fmt: skip
SEPARATOR = "<|endoftext|>"


def build(config: dict, sources_by_role: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of :mod:`muon_imbalance.data.text.corpus`.

    Args:
        config: ``source``, number of ``train`` and ``validation`` stories, the rest as in :data:`text.SHARED`.
        sources_by_role: ``{train, validation: file}``.
        out: folder to write.

    Raises:
        UserError: bad config, a missing file, or fewer stories than asked for.
    """
    options = Options("tinystories", config, DEFAULTS)
    source, seed = sources.get(options.choice("source", SOURCES)), options.integer("seed", 0)
    files, _ = verified.files(source, sources_by_role)
    drawn = {}
    for split in corpus.SPLITS:
        count = options.integer(split, 1)
        drawn[split] = sample(read(files[split]), count, np.random.default_rng(stable_seed("tinystories", seed, split)))
        if len(drawn[split]) < count:
            raise options.refuse(split, f"up to {len(drawn[split]):,}, the stories there are")
    label = f"{source.label}; {len(drawn['train']):,} stories to train"
    manifest.write(
        out,
        corpus.arrays(options, drawn),
        corpus.facts(options, label, source.kind, source.licence, source.citation, source.provenance()),
    )


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
