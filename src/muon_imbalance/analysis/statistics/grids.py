"""What a grid says about the cell that was selected: is it on the edge, and how flat is the optimum?

Whether a grid ends too early is asked of the curve that selected: beyond an edge towards which it still improves, an
optimizer may be better than it is here. How flat the optimum is (Fig. 14) is asked of the gated area: mean minority
accuracy over the whole of training, counted only while the majority's accuracy is at least 90 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.runs import columns

if TYPE_CHECKING:
    import pandas as pd

RISE = 0.1
"""A score that improves by more than this share towards the edge of a grid may go on improving beyond it."""


@dataclass(frozen=True)
class Edge:
    """The selected learning rate is the smallest or largest of its grid.

    ``score``, ``inner``: of the curve by which it was selected, there and at the next learning rate inside (NaN:
    diverged); ``goal``: whether large scores are better.
    """

    optimizer: str
    lr: str
    side: str
    score: float
    inner: float
    goal: str = "max"

    @property
    def rising(self) -> bool:
        """Whether the score is better than inside by more than a tenth (from nothing, any growth is)."""
        better, worse = (self.score, self.inner) if self.goal == "max" else (self.inner, self.score)
        return bool(better > (1 + RISE) * worse)

    def __str__(self) -> str:
        text = f"{self.optimizer}: selected lr {self.lr} is the {self.side} edge of its grid"
        if not np.isfinite(self.inner):
            return f"{text} (the next one inside diverged)"
        change = f"score {self.score:.3g} against {self.inner:.3g} inside"
        return f"{text}, {change}, {'still improving' if self.rising else 'not improving'}"


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


def _phases(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Grid and final rows of ``<optimizer>`` or ``<optimizer>.<variant>``."""
    optimizer, _, variant = name.partition(".")
    own = frame[frame["optimizer"] == optimizer]
    own = own[columns.variants(own) == variant] if len(own) else own
    return own[own["phase"] == "grid"], own[own["phase"] == "final"]


def cells(frame: pd.DataFrame, name: str, split: str) -> tuple[tuple[str, str, str], pd.Series] | None:
    """Selected cell and areas of the grid of ``<optimizer>`` or ``<optimizer>.<variant>``.

    None if it has no final runs or no grid.
    """
    grid, final = _phases(frame, name)
    if grid.empty or final.empty:
        return None
    return tuple(final[CELL].iloc[0]), areas(grid, split)


def scores(grid: pd.DataFrame, rule: Mapping) -> tuple[dict[tuple[str, str, str], float], str]:
    """Score of every cell (``CELL``) of one optimizer's grid by the selection's own curve, NaN: diverged; its goal.

    Where no cell has more than 0 (a group that none of them learns), by the curve that tells equal cells apart.
    """
    from muon_imbalance.analysis.selection import curve, score  # with pandas, which judging theory does not need

    found = {cell: score(part, rule) for cell, part in curve(grid, rule).groupby(CELL)}
    if rule.get("ties") and not any(value > 0 for value in found.values()):
        return scores(grid, {**rule["ties"], "at": "end"})
    return found, rule["goal"]


def edge(frame: pd.DataFrame, name: str, values: list[str], rule: Mapping) -> Edge | None:
    """The edge that the selected learning rate lies on, or None if it is inside its grid or was the only one.

    Args:
        frame: runs table with the rows of both phases.
        name: ``<optimizer>`` or ``<optimizer>.<variant>``.
        values: learning rates of the grid, text tokens.
        rule: by which it was selected.
    """
    ordered = sorted(values, key=float)
    if len(ordered) < 2:
        return None
    grid, final = _phases(frame, name)
    if grid.empty or final.empty:
        return None
    lr, *rest = final[CELL].iloc[0]
    sides = {ordered[0]: ("lower", ordered[1]), ordered[-1]: ("upper", ordered[-2])}
    if lr not in sides:
        return None
    side, inner = sides[lr]
    found, goal = scores(grid, rule)
    return Edge(name, lr, side, *(float(found.get((value, *rest), np.nan)) for value in (lr, inner)), goal)


def neighbour_ratios(selected: tuple[str, str, str], area: pd.Series) -> pd.Series:
    """Areas of the cells one step away from the selected one, in the learning rate or in the others, over its own."""
    rates = sorted(area.index.unique("lr"), key=float)
    others = sorted({cell[1:] for cell in area.index}, key=lambda rest: (float(rest[0]), rest[1]))
    place = {cell: (rates.index(cell[0]), others.index(cell[1:])) for cell in area.index}
    home = place[selected]
    near = [cell for cell, at in place.items() if sum(abs(a - b) for a, b in zip(at, home, strict=True)) == 1]
    return area.loc[near] / area[selected]
