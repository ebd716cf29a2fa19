"""TinyStories, the paper's corpus (Figs 9, 25, 26, 28): from the Hugging Face Hub by ``datasets``, or from a folder.

A folder holds the files of the official distribution, either ``TinyStories-train.txt`` and ``TinyStories-valid.txt``
(or ``TinyStoriesV2-GPT4-...``), in which stories end with ``<|endoftext|>``, or the Hub's parquet files
(``train-*.parquet``, ``validation-*.parquet``, column ``text``, also in a folder ``data``). No hash of these files is
known to this project; the manifest records the hash of what was drawn from them.
Source: R. Eldan, Y. Li. TinyStories: how small can language models be and still speak coherent English? 2023.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from muon_imbalance.data import manifest, text
from muon_imbalance.data.options import Options
from muon_imbalance.data.seeding import stable_seed
from muon_imbalance.data.text import describe, load
from muon_imbalance.errors import UserError

__all__ = ["build", "describe", "load", "read_folder"]

DEFAULTS = {"folder": None, "train": 10000, "validation": 1000, **text.SHARED, "vocabulary": 2000, "context": 256}
HUB = "roneneldan/TinyStories"
SEPARATOR = "<|endoftext|>"
FILES = {
    "train": ("TinyStories-train.txt", "TinyStoriesV2-GPT4-train.txt"),
    "validation": ("TinyStories-valid.txt", "TinyStoriesV2-GPT4-valid.txt"),
}


def build(config: dict, sources: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of :mod:`muon_imbalance.data.text`, from a random subset of each official split.

    Args:
        config: ``folder`` (null: from the Hub), number of ``train`` and ``validation`` stories, the rest as in
            :data:`text.SHARED`.
        sources: not used: the Hub's client keeps its own cache.
        out: folder to write.

    Raises:
        UserError: bad config, nothing to read, or fewer stories than asked for.
    """
    del sources
    options = Options("tinystories", config, DEFAULTS)
    folder, seed = options.values["folder"], options.integer("seed", 0)
    drawn = {}
    for split in text.SPLITS:
        rng, count = np.random.default_rng(stable_seed("tinystories", seed, split)), options.integer(split, 1)
        drawn[split] = (
            _from_hub(split, count, rng) if folder is None else sample(read_folder(folder, split), count, rng)
        )
        if len(drawn[split]) < count:
            raise options.refuse(split, f"up to {len(drawn[split]):,}, the stories there are")
    arrays = text.arrays(options, drawn)
    label = f"TinyStories; {len(drawn['train']):,} stories to train"
    source = {"name": "hub" if folder is None else "folder", "dataset": HUB}
    cited = "R. Eldan, Y. Li. TinyStories: how small can language models be and still speak coherent English? 2023."
    options.values = options.values | {"folder": None if folder is None else "a folder of the user"}
    manifest.write(out, arrays, text.facts(options, label, "real", "CDLA-Sharing-1.0", cited, source))


def read_folder(folder: str | Path, split: str) -> Iterator[str]:
    """Stories of a split, one after another; empty ones are left out.

    Raises:
        UserError: there is no such folder, or none of the official files in it.
    """
    place = Path(str(folder)).expanduser()
    if not place.is_dir():
        raise UserError(f"tinystories: folder = {str(folder)!r} is not a folder; allowed: one with the official files")
    for name in FILES[split]:
        if (place / name).is_file():
            return _from_text(place / name)
    tables = sorted([*place.glob(f"{split}-*.parquet"), *place.glob(f"data/{split}-*.parquet")])
    if not tables:
        allowed = f"{', '.join(FILES[split])} or {split}-*.parquet"
        raise UserError(f"tinystories: folder = {str(folder)!r} has no {split} stories; allowed: {allowed}")
    return _from_tables(tables)


def _from_text(path: Path) -> Iterator[str]:
    lines: list[str] = []
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            if line.strip() == SEPARATOR:
                yield from _whole(lines)
                lines = []
            else:
                lines.append(line)
    yield from _whole(lines)


def _from_tables(paths: Iterable[Path]) -> Iterator[str]:
    import pyarrow.parquet as parquet

    for path in paths:
        for batch in parquet.ParquetFile(path).iter_batches(columns=["text"]):
            for story in batch["text"].to_pylist():
                yield from _whole([story])


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


def _from_hub(split: str, count: int, rng: np.random.Generator) -> list[str]:
    import datasets

    try:
        table = datasets.load_dataset(HUB, split=split)
    except Exception as error:  # the client raises many kinds, of several libraries
        raise UserError(
            f"tinystories: {HUB} cannot be read from the Hugging Face Hub ({type(error).__name__}: {error}); "
            "allowed: a network connection, or config.folder with the official files"
        ) from error
    chosen = sorted(rng.permutation(len(table))[:count])
    return [story for row in table.select(chosen) for story in _whole([row["text"]])]
