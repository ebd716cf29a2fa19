"""A report card: how one optimizer learns the tail, against others, by step and at equal progress.

Majority and minority are means of accuracy over given groups; the majority's counts as a share of the best that any of
the compared optimizers reaches. Besides the step there are three clocks that do not reward being earlier: the training
loss, and the training accuracy of the majority and of the minority. Differences are paired by seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from muon_imbalance.analysis.claims import intervals
from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.summaries import equal_progress, mean_curves
from muon_imbalance.common.errors import UserError
from muon_imbalance.runs import frames

SHARE_OF_BEST = 0.9
"""Share of the best majority accuracy from which the minority's counts: a model that predicts one class is right on
some of it. (The gate of figures and claims, ``reductions.MAJORITY_GATE``, is an accuracy, not a share.)"""
LEVELS = 25
STEP = "by step"
LOSS, MAJORITY, MINORITY = (
    "equal training loss",
    "equal training accuracy, majority",
    "equal training accuracy, minority",
)


@dataclass(frozen=True)
class Progress:
    """One optimizer's runs, each a table ``[steps, seeds]`` without runs that diverged; ``majority`` is a share.

    ``clocks`` are named ``LOSS``, ``MAJORITY``, ``MINORITY``, from the first update on: before it, a
    network is right by chance.
    """

    optimizer: str
    minority: pd.DataFrame
    majority: pd.DataFrame
    clocks: dict[str, pd.DataFrame]

    @property
    def seeds(self) -> set[int]:
        return set(self.minority.columns)


def progress(
    frame: pd.DataFrame,
    optimizers: Sequence[str],
    majority: Sequence[str],
    minority: Sequence[str],
    split: str = "test",
) -> list[Progress]:
    """Curves of the optimizers that are compared, from a runs table (final phase).

    Raises:
        UserError: no such runs or groups.
    """
    found = [_curves(frame, optimizer, majority, minority, split) for optimizer in optimizers]
    best = max((entry.majority.mean(axis=1).max() for entry in found if entry.seeds), default=1.0)
    return [replace(entry, majority=entry.majority / best) for entry in found]


def _curves(
    frame: pd.DataFrame, optimizer: str, majority: Sequence[str], minority: Sequence[str], split: str
) -> Progress:
    def mean(split: str, groups: Sequence[str]) -> pd.DataFrame:
        return sum(frames.curves(frame, optimizer, "accuracy", split, group) for group in groups) / len(groups)

    clocks = {LOSS: frames.curves(frame, optimizer, "loss", "train")}
    clocks |= {MAJORITY: mean("train", majority), MINORITY: mean("train", minority)}
    tables = [mean(split, minority), mean(split, majority), *clocks.values()]
    finished = tables[0].columns[np.logical_and.reduce([np.isfinite(table).all() for table in tables])]
    clocks = {name: table.loc[table.index > 0, finished] for name, table in clocks.items()}
    return Progress(optimizer, *(table[finished] for table in tables[:2]), clocks)


def levels(entries: Sequence[Progress]) -> dict[str, np.ndarray]:
    """Levels of the clocks that every run of the entries passes, see :func:`equal_progress.levels`.

    Raises:
        UserError: all runs diverged.
    """
    finished = [entry for entry in entries if entry.seeds]
    if not finished:
        raise UserError("every run of every optimizer diverged; there is nothing to compare")
    return {
        clock: equal_progress.levels([entry.clocks[clock] for entry in finished], clock == LOSS, LEVELS)
        for clock in (LOSS, MAJORITY, MINORITY)
    }


def at_levels(entry: Progress, clock: str, values: np.ndarray) -> pd.DataFrame:
    """Minority accuracy when a clock first gets to each level, ``[levels, seeds]``; NaN where it does not."""
    sign, times = 1 if clock == LOSS else -1, entry.clocks[clock]
    found = mean_curves.at_levels(entry.minority.loc[times.index], sign * times, sign * values)
    return found.set_axis(values)


def areas(entry: Progress) -> pd.Series:
    """Mean minority accuracy over all steps, counted only while the majority is at 90 % of the best, per seed."""
    steps = entry.minority.index.to_numpy()
    found = {
        seed: reductions.gated_area(
            steps, entry.minority[seed].to_numpy(), entry.majority[seed].to_numpy(), SHARE_OF_BEST
        )
        for seed in entry.minority
    }
    return pd.Series(found, dtype=float)


def difference(one: Progress, other: Progress, clock: str, values: dict[str, np.ndarray]) -> dict:
    """How much more minority accuracy ``one`` has than ``other``, paired by seed.

    Returns:
        ``against, clock, n`` (seeds), ``difference, low, high`` (mean and 95 % interval), ``levels``: how many levels
        both reached, on average over seeds (None by step). Without a common seed or level, n is 0 and the rest NaN.
    """
    reached = None
    if clock == STEP:
        paired = (areas(one) - areas(other)).dropna()
    else:
        both = (at_levels(one, clock, values[clock]) - at_levels(other, clock, values[clock])).dropna(how="all", axis=1)
        paired = both.mean()
        reached = float(both.notna().sum().mean()) if len(paired) else 0.0
    ends = intervals.interval(paired.to_numpy()) if len(paired) else None
    low, high = ends or (np.nan, np.nan)
    centre = float(paired.mean()) if len(paired) else np.nan
    return {"against": other.optimizer, "clock": clock, "n": len(paired), "difference": centre, "low": low,
            "high": high, "levels": reached}  # fmt: skip


def compare(one: Progress, others: Sequence[Progress]) -> pd.DataFrame:
    """:func:`difference` on every clock against each of ``others``, at the levels that both get to."""
    rows = []
    for other in others:
        values = levels([one, other])
        rows += [difference(one, other, clock, values) for clock in (STEP, LOSS, MAJORITY, MINORITY)]
    return pd.DataFrame(rows)


def curves(entries: Sequence[Progress]) -> pd.DataFrame:
    """What is drawn: ``optimizer, clock, x, mean, sd, n`` of the minority's accuracy on every clock.

    ``majority`` is the majority's mean accuracy at each step (NaN on the other clocks).
    """
    values, parts = levels(entries), []
    for entry in entries:
        tables = {STEP: entry.minority.loc[entry.minority.index > 0]}
        tables |= {clock: at_levels(entry, clock, values[clock]) for clock in values}
        for clock, table in tables.items():
            summary = pd.DataFrame({"mean": table.mean(axis=1), "sd": table.std(axis=1), "n": table.count(axis=1)})
            summary["majority"] = entry.majority.mean(axis=1).reindex(table.index) if clock == STEP else np.nan
            parts.append(summary.rename_axis("x").reset_index().assign(optimizer=entry.optimizer, clock=clock))
    return pd.concat(parts, ignore_index=True)[["optimizer", "clock", "x", "mean", "sd", "n", "majority"]]
