"""What a grid says about the cell that was selected: is it on the edge, and how flat is the optimum?

A cell's worth is the gated area (see ``statistics.gated_area``): mean minority accuracy over the whole of training on
the split that selects, counted only while the majority's accuracy is at least 90 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.runs import columns

if TYPE_CHECKING:
    import pandas as pd

RISE = 0.1
"""An area that grows by more than this share towards the edge of a grid is still rising there."""


@dataclass(frozen=True)
class Edge:
    """The selected learning rate is the smallest or largest of its grid.

    ``area``, ``inner``: gated areas there and at the next learning rate inside (NaN: no such curves, or diverged).
    """

    optimizer: str
    lr: str
    side: str
    area: float
    inner: float

    @property
    def rising(self) -> bool:
        """Whether the area is larger than inside by more than a tenth (from nothing, any growth is)."""
        return bool(self.area > (1 + RISE) * self.inner)

    def __str__(self) -> str:
        text = f"{self.optimizer}: selected lr {self.lr} is the {self.side} edge of its grid"
        if not np.isfinite(self.area) or not np.isfinite(self.inner):
            return f"{text} (no gated area to compare)"
        change = f"gated area {100 * self.area:.3g} % against {100 * self.inner:.3g} % inside"
        return f"{text}, {change}, {'still rising' if self.rising else 'not rising'}"


CELL = ["lr", "momentum", "hyper"]
"""Columns that name a cell, text; where pairs of betas are swept, ``momentum`` is the first and ``hyper`` has both."""


def areas(grid: pd.DataFrame, split: str) -> pd.Series:
    """Gated area of every cell of one optimizer's grid, index ``CELL``, mean over its seeds.

    Empty without accuracies of a majority and a minority; NaN for a cell with a run that diverged.
    """
    import pandas as pd

    chosen = grid[(grid["metric"] == "accuracy") & (grid["split"] == split)]
    chosen = chosen[chosen["group"].isin(["majority", "minority"])]
    if chosen["group"].nunique() < 2:
        return pd.Series(dtype=float)
    wide = chosen.pivot(index=[*CELL, "seed", "step"], columns="group", values="value")
    each = {
        cell: reductions.gated_area(
            part.index.get_level_values("step").to_numpy(),
            part["minority"].to_numpy(),
            part["majority"].to_numpy(),
            reductions.MAJORITY_GATE,
        )
        if np.isfinite(part.to_numpy()).all()
        else np.nan
        for cell, part in wide.groupby(level=[*CELL, "seed"])
    }
    return pd.Series(each).rename_axis([*CELL, "seed"]).groupby(level=CELL).agg(lambda own: own.mean(skipna=False))


def cells(frame: pd.DataFrame, name: str, split: str) -> tuple[tuple[str, str, str], pd.Series] | None:
    """Selected cell and areas of the grid of ``<optimizer>`` or ``<optimizer>.<variant>``.

    None if it has no final runs or no grid.
    """
    optimizer, _, variant = name.partition(".")
    own = frame[frame["optimizer"] == optimizer]
    own = own[columns.variants(own) == variant] if len(own) else own
    grid, final = (own[own["phase"] == phase] for phase in ("grid", "final"))
    if grid.empty or final.empty:
        return None
    return tuple(final[CELL].iloc[0]), areas(grid, split)


def edge(frame: pd.DataFrame, name: str, values: list[str], split: str) -> Edge | None:
    """The edge that the selected learning rate lies on, or None if it is inside its grid or was the only one.

    Args:
        frame: runs table with the rows of both phases.
        name: ``<optimizer>`` or ``<optimizer>.<variant>``.
        values: learning rates of the grid, text tokens.
        split: split that selects.
    """
    ordered = sorted(values, key=float)
    if len(ordered) < 2 or (found := cells(frame, name, split)) is None:
        return None
    (lr, *rest), area = found
    sides = {ordered[0]: ("lower", ordered[1]), ordered[-1]: ("upper", ordered[-2])}
    if lr not in sides:
        return None
    side, inner = sides[lr]
    return Edge(name, lr, side, *(float(area.get((value, *rest), np.nan)) for value in (lr, inner)))


def neighbour_ratios(selected: tuple[str, str, str], area: pd.Series) -> pd.Series:
    """Areas of the cells one step away from the selected one, in the learning rate or in the others, over its own."""
    rates = sorted(area.index.unique("lr"), key=float)
    others = sorted({cell[1:] for cell in area.index}, key=lambda rest: (float(rest[0]), rest[1]))
    place = {cell: (rates.index(cell[0]), others.index(cell[1:])) for cell in area.index}
    home = place[selected]
    near = [cell for cell, at in place.items() if sum(abs(a - b) for a, b in zip(at, home, strict=True)) == 1]
    return area.loc[near] / area[selected]
