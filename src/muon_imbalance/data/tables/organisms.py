"""Which of 13 attributes each of 12 organisms has: classify the organism by one attribute (Fig. 27, App. D.6).

The table ``organisms.csv`` beside this module says which attributes the paper's text names (``source`` text) and which
are our choice (chosen). All organisms that have an attribute are equally probable given it.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Settings, checked
from muon_imbalance.data.sources.digest import file_sha256
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import check_request, read_arrays

TABLE = Path(__file__).with_name("organisms.csv")
LEVELS = ("coarse", "middle", "fine")
SOURCES = ("text", "chosen")
FACTS = ["attribute", "category", "level", "source"]
NAMES, NUMBERS = ("attributes", "categories", "organisms", "sources"), ("has", "category", "level")


@dataclass(frozen=True)
class Table:
    """Attributes, organisms and the categories that the attributes name, from coarse to fine.

    Attributes:
        attributes, sources: one per attribute; ``organisms``: one per organism; ``categories``: one per category.
        has: ``[attributes, organisms]``, 1 where the organism has the attribute.
        category: place in ``categories`` of the category that each attribute names, ``[attributes]``.
        level: place in :data:`LEVELS` of each category, ``[categories]``.
    """

    attributes: list[str]
    sources: list[str]
    organisms: list[str]
    categories: list[str]
    has: np.ndarray
    category: np.ndarray
    level: np.ndarray

    @property
    def members(self) -> np.ndarray:
        """``[categories, organisms]``, 1 where the organism belongs to the category."""
        return self.has[[int(np.argmax(self.category == c)) for c in range(len(self.categories))]]

    @property
    def probability(self) -> np.ndarray:
        """``P(organism | attribute)``, ``[organisms, attributes]``: uniform over those that have the attribute."""
        return (self.has / self.has.sum(1, keepdims=True)).T


def read_table(path: Path = TABLE) -> Table:
    """The table in a file.

    Raises:
        UserError: unreadable, or no hierarchy: an entry that is not 0 or 1, an organism or attribute without entries,
            an unknown level or source, levels that get coarser down the file, attributes of one category with
            different organisms, categories that overlap without one being part of the other.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            head, *lines = csv.reader(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a table of attributes ({error})") from None
    if head[:4] != FACTS or len(head) < 6 or not lines or any(len(line) != len(head) for line in lines):
        raise UserError(f"{path}: allowed: the columns {', '.join(FACTS)}, then one for each organism")
    if wrong := sorted({entry for line in lines for entry in line[4:]} - {"0", "1"}):
        raise UserError(f"{path}: the entry {wrong[0]!r}; allowed: 0, 1")
    attributes, names, levels, sources = (list(column) for column in list(zip(*lines, strict=True))[:4])
    for values, key, allowed in ((levels, "level", LEVELS), (sources, "source", SOURCES)):
        if wrong := sorted(set(values) - set(allowed)):
            raise UserError(f"{path}: {key} = {wrong[0]!r}; allowed: {', '.join(allowed)}")
    categories = list(dict.fromkeys(names))
    table = Table(
        attributes, sources, head[4:], categories,
        np.array([[int(entry) for entry in line[4:]] for line in lines]),
        np.array([categories.index(name) for name in names]),
        np.array([LEVELS.index(levels[names.index(name)]) for name in categories]),
    )  # fmt: skip
    _check(table, levels, path)
    return table


def _check(table: Table, levels: list[str], path: Path) -> None:
    """Refuse a table that is no hierarchy."""
    if not (table.has.any(0).all() and table.has.any(1).all()):
        raise UserError(f"{path}: every organism must have an attribute, and every attribute an organism")
    places = [LEVELS.index(level) for level in levels]
    members = table.members
    for a, c in enumerate(table.category):
        if (table.has[a] != members[c]).any() or places[a] != table.level[c]:
            raise UserError(f"{path}: attributes of {table.categories[c]} must agree in level and organisms")
    if places != sorted(places):
        raise UserError(f"{path}: attributes must be sorted by level: {', '.join(LEVELS)}")
    for c, own in enumerate(members):
        for d, other in enumerate(members[:c]):
            common = own & other
            if common.any() and (table.level[c] <= table.level[d] or (common != own).any()):
                raise UserError(
                    f"{path}: {table.categories[c]} must be a part of {table.categories[d]} or apart from it"
                )


class Options(Settings):
    """Which of 13 attributes each of 12 organisms has; there is nothing to choose."""


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the table as arrays.

    Arrays: ``has [attributes, organisms]``, ``category [attributes]``, ``level [categories]`` and the names
    ``attributes, sources, organisms, categories``.

    Raises:
        UserError: the table is no hierarchy.
    """
    checked(Options, config, "organisms")
    table = read_table()
    named = {source: table.sources.count(source) for source in SOURCES}
    facts = {
        "kind": "composed",
        "label": f"{len(table.organisms)} organisms, {len(table.attributes)} attributes "
        f"({named['text']} of the paper, {named['chosen']} chosen)",
        "source": {"name": TABLE.name, "sha256": file_sha256(TABLE), "attributes": named},
        "licence": "none needed: common knowledge",
        "citation": "App. D.6 of the paper, completed",
        "builder": "organisms",
        "config": {},
    }
    arrays = {name: np.array(getattr(table, name)) for name in (*NAMES, *NUMBERS)}
    manifest.write(out, arrays, facts, describe(arrays))


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Pairs of an attribute and an organism that has it, all and by category; mean and sd of the probabilities."""
    table = _table(arrays)
    pairs = np.bincount(table.category, weights=table.has.sum(1), minlength=len(table.categories)).astype(int).tolist()
    return {
        "counts": {"train": {"all": sum(pairs)} | dict(zip(table.categories, pairs, strict=True))},
        "shape": [len(table.attributes)],
        "mean": float(table.probability.mean()),
        "std": float(table.probability.std()),
    }


def _table(arrays: Mapping[str, np.ndarray]) -> Table:
    return Table(**{n: arrays[n].tolist() for n in NAMES}, **{n: arrays[n] for n in NUMBERS})


def load_table(path: Path) -> Table:
    """The table of a data set's folder."""
    return _table(read_arrays(path, [*NAMES, *NUMBERS]))


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """``probability [organisms, attributes]``, float64; the same in every repetition, so no axis for it."""
    check_request("organisms", split, ("train",), repetitions)
    return {"probability": load_table(path).probability}
