"""Curves over seeds, ready to plot: mean, standard deviation and number of seeds at every recorded step."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from muon_imbalance.analysis.statistics.reductions import value_at_level
from muon_imbalance.runs import frames

KEYS = ["optimizer", "lr", "momentum", "split", "group", "metric"]


def over_seeds(frame: pd.DataFrame, curves: Sequence[tuple[str, str, str]], phase: str = "final") -> pd.DataFrame:
    """Summary of the given ``(split, group, metric)`` curves of every optimizer.

    Diverged runs are left out of mean and standard deviation; ``n`` counts the seeds that are in.

    Returns:
        Columns ``optimizer, lr, momentum, split, group, metric, step, mean, sd, n``, after ``optimizer`` also
        ``variant`` if the experiment has variants.
    """
    wanted = pd.MultiIndex.from_tuples(curves)
    chosen = frame[(frame["phase"] == phase) & frame.set_index(["split", "group", "metric"]).index.isin(wanted)]
    variant, keys = frames.variants(chosen), KEYS
    if variant.any():
        chosen, keys = chosen.assign(variant=variant), [KEYS[0], "variant", *KEYS[1:]]
    table = chosen.groupby([*keys, "step"], sort=True)["value"].agg(mean="mean", sd="std", n="count")
    return table.reset_index()


def pick(
    summary: pd.DataFrame, optimizer: str, split: str, group: str, metric: str, variant: str | None = None
) -> pd.DataFrame:
    """One curve of :func:`over_seeds`, in the order of steps; of one ``variant`` where there are several."""
    if variant is not None:
        summary = summary[summary["variant"] == variant]
    return summary[
        (summary["optimizer"] == optimizer)
        & (summary["split"] == split)
        & (summary["group"] == group)
        & (summary["metric"] == metric)
    ].sort_values("step")


def against_clock(
    frame: pd.DataFrame,
    optimizer: str,
    value: tuple[str, str, str],
    clock: tuple[str, str, str],
    levels: np.ndarray,
) -> pd.DataFrame:
    """A metric read off when another one first gets to each level, instead of at a step.

    A loss has to fall to it, after its peak; an accuracy has to rise to it, after its lowest value.

    Args:
        value, clock: ``(split, group, metric)``, for example minority test accuracy against minority training loss.
        levels: values of the clock, [m].

    Returns:
        Columns ``optimizer, level, mean, sd, n``; ``n`` counts the seeds whose clock reached the level.
    """
    values, clocks = (frames.curves(frame, optimizer, metric, split, group) for split, group, metric in (value, clock))
    sign = 1 if falls(clock) else -1
    found = at_levels(values, sign * clocks, sign * np.asarray(levels))
    rows = [(optimizer, sign * level, *spread(row)) for level, *row in found.itertuples()]
    return pd.DataFrame(rows, columns=["optimizer", "level", "mean", "sd", "n"])


def falls(clock: tuple[str, str, str]) -> bool:
    """Whether a clock falls as training goes on."""
    return clock[2] != "accuracy"


def at_levels(values: pd.DataFrame, clocks: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """Values when a clock first falls to each level, ``[levels, seeds]``; NaN where it does not."""
    found = {
        seed: [value_at_level(column.to_numpy(), clocks[seed].to_numpy(), level) for level in levels]
        for seed, column in values.items()
    }
    return pd.DataFrame(found, index=levels, dtype=float)


def spread(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean, standard deviation and number of the values that are finite; NaN of none, or of one."""
    found = np.array([value for value in values if np.isfinite(value)])
    return found.mean() if found.size else np.nan, found.std(ddof=1) if found.size > 1 else np.nan, found.size


def over_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with every curve of a run divided by its first recorded value."""
    names = ["optimizer", "phase", "run", "split", "group", "metric"]
    ordered = frame.sort_values("step", kind="stable")
    first = ordered.groupby(names, sort=False)["value"].transform("first")
    return ordered.assign(value=ordered["value"] / first).sort_index()
