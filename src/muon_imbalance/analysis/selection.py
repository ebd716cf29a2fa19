"""The paper's selection rule: which cell of a grid is trained with all seeds.

A rule is ``{metric, split, group, at: end | best, goal: max | min}``: the cell's curve, averaged over seeds,
is read at the last step or at its best step; a cell with a diverged run loses. With ``ties: {metric, split,
group, goal}`` cells of equal score are told apart by another curve at the last step (where a group is not learned
at all, every cell has 0); what is equal then goes to the smaller learning rate.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.common.tokens import numbers

CONTRACT = ("hyper", "rule", "split", "seeds", "score", "edge")


class Ties(Settings):
    """The curve that tells cells of equal score apart, at the last step."""

    metric: str = Field(description="its metric")
    split: str = Field(description="the samples it was measured on")
    group: str = Field(description="their group")
    goal: Literal["max", "min"] = Field(description="whether large or small values are better")


class Rule(Ties):
    """The curve by which a cell of a grid is selected."""

    at: Literal["end", "best"] = Field(description="read at the last step, or at its best step")
    ties: Ties | None = Field(None, description="what tells cells of equal score apart")


def _tokens(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The frame with a text column ``cell:<key>`` per swept key (from its own column or from ``hyper``)."""
    columns = {}
    for key in keys:
        if key in ("lr", "momentum"):
            columns[f"cell:{key}"] = frame[key]
            continue
        values = {text: json.loads(text) for text in frame["hyper"].unique()}
        if not all(key in value for value in values.values()):
            raise UserError(f"grid value {key!r} is neither lr nor momentum nor a key of the runs' hyper column")
        columns[f"cell:{key}"] = frame["hyper"].map({text: str(value[key]) for text, value in values.items()})
    return frame.assign(**columns)


def score(rows: pd.DataFrame, rule: Mapping) -> float:
    """Score of one cell; NaN if one of its runs diverged."""
    curve = rows.pivot(index="step", columns="seed", values="value").sort_index().mean(axis=1, skipna=False)
    if rows["diverged"].any() or not np.isfinite(curve.iloc[-1]):
        return float("nan")
    if rule["at"] == "end":
        return float(curve.iloc[-1])
    return float(curve.max() if rule["goal"] == "max" else curve.min())


def _edge(token: str, values: Sequence[str]) -> str | None:
    """Whether a value is the smallest or the largest of its list; None inside, or if it is alone."""
    ordered = sorted(set(map(str, values)), key=numbers)
    if len(ordered) < 2:
        return None
    return {0: "lower", len(ordered) - 1: "upper"}.get(ordered.index(token))


def curve(frame: pd.DataFrame, rule: Mapping) -> pd.DataFrame:
    """Grid rows of the curve that a rule reads."""
    rows = frame[frame["phase"] == "grid"]
    for key in ("metric", "split", "group"):
        there = sorted(rows[key].unique())
        rows = rows[rows[key] == rule[key]]
        if rows.empty:
            raise UserError(f"selection rule: no grid rows with {key} {rule[key]!r}; there are {there}")
    return rows


def _cells(rows: pd.DataFrame, keys: Sequence[str]) -> dict[tuple[str, ...], pd.DataFrame]:
    return dict(list(_tokens(rows, keys).groupby([f"cell:{key}" for key in keys])))


def select(grid_frame: pd.DataFrame, rule: Mapping, grid_values: Mapping[str, Sequence[str]]) -> dict:
    """The best cell of a grid.

    Args:
        grid_frame: runs table; its rows of phase ``grid`` are used.
        rule: see the module's docstring.
        grid_values: swept key -> text tokens, e.g. ``{"lr": ["0.03", "0.06"], "momentum": ["0.9"]}``.

    Returns:
        ``hyper`` (the cell, text tokens), ``rule``, ``split``, ``seeds`` (those of the grid), ``score``,
        ``edge`` (per key ``lower``, ``upper`` or None: the choice lies on the border of its grid), ``table``
        (a DataFrame of all cells with score and whether a run diverged).

    Raises:
        UserError: unknown rule, no such curve, a cell of the grid that was not trained, cells with different
            seeds, or every cell diverged.
    """
    checked(Rule, rule, "selection rule")
    if "lr" not in grid_values:
        raise UserError(f"grid has the keys {', '.join(grid_values)}; 'lr' is missing")
    keys, second = list(grid_values), rule.get("ties")
    rows = curve(grid_frame, rule)
    cells = _cells(rows, keys)
    tied = _cells(curve(grid_frame, second), keys) if second else {}
    records, seeds = [], {}
    for cell in itertools.product(*(list(map(str, grid_values[key])) for key in keys)):
        if cell not in cells:
            raise UserError(
                f"grid cell {dict(zip(keys, cell, strict=True))} was not trained; there are {sorted(cells)}"
            )
        part = cells[cell]
        if part.duplicated(["step", "seed"]).any():
            raise UserError(f"grid cell {dict(zip(keys, cell, strict=True))} holds several runs of one seed")
        seeds[cell] = sorted(map(int, part["seed"].unique()))
        records.append({**dict(zip(keys, cell, strict=True)), "score": score(part, rule)})
        if second:
            records[-1]["ties"] = score(tied[cell], second | {"at": "end"})
    if len({tuple(value) for value in seeds.values()}) > 1:
        raise UserError(f"grid cells were trained with different seeds: {seeds}")
    table = pd.DataFrame(records).assign(diverged=lambda frame: frame["score"].isna())
    sign = -1 if rule["goal"] == "max" else 1
    finished = [record for record in records if np.isfinite(record["score"])]
    if not finished:
        tried = "; ".join(f"{key} {', '.join(map(str, grid_values[key]))}" for key in keys)
        who = f"{rows['experiment'].iloc[0]}/{rows['optimizer'].iloc[0]}"
        raise UserError(f"{who}: every cell of the grid diverged ({tried}); add smaller learning rates")
    other = -1 if second and second["goal"] == "max" else 1

    def place(record: dict) -> tuple[float, float, float]:
        return sign * record["score"], other * record.get("ties", 0.0), float(record["lr"])

    best = min(finished, key=place)
    hyper = {key: best[key] for key in keys}
    return {
        "hyper": hyper,
        "rule": dict(rule),
        "split": rule["split"],
        "seeds": next(iter(seeds.values())),
        "score": best["score"],
        "edge": {key: _edge(hyper[key], grid_values[key]) for key in keys},
        "table": table,
    }
