"""A metric at equal progress, ready to plot: read when a clock gets to a level, where being earlier does not count.

Three clocks: the training loss, and the training accuracy of the majority and of the minority, which unlike a loss do
not depend on the scale of the logits. All are evaluated at the records. Levels end with the furthest that every run
of every compared optimizer gets to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from muon_imbalance.analysis.summaries import mean_curves
from muon_imbalance.runs import frames

Key = tuple[str, str, str]  # split, group, metric
COLUMNS = ["optimizer", "clock", "level", "mean", "sd", "n"]


@dataclass(frozen=True)
class Clock:
    """A recorded curve by which runs are read, and what it is called."""

    name: str
    key: Key

    @property
    def falls(self) -> bool:
        """Whether progress is a smaller value."""
        return mean_curves.falls(self.key)


LOSS = Clock("training loss", ("train", "all", "loss"))


def accuracy(group: str, name: str | None = None) -> Clock:
    """The training accuracy of a group, called ``name`` where that says more."""
    return Clock(f"training accuracy, {name or group}", ("train", group, "accuracy"))


THREE = (LOSS, accuracy("majority"), accuracy("minority"))


def by_size(counts: Mapping[str, int], frame: pd.DataFrame) -> tuple[Clock, ...]:
    """The three clocks where groups are no majority and minority: of the largest and of the smallest training group.

    Args:
        counts: training samples of each group, as a manifest has them.
    """
    rows = frame[(frame["split"] == "train") & (frame["metric"] == "accuracy")]
    groups = [group for group in counts if group in set(rows["group"])]
    largest, smallest = max(groups, key=counts.get), min(groups, key=counts.get)
    return LOSS, accuracy(largest, "largest group"), accuracy(smallest, "smallest group")


def levels(clocks: Sequence[pd.DataFrame], falls: bool, points: int) -> np.ndarray:
    """Levels that every run passes, from the first to the furthest; none where a run makes no progress.

    Args:
        clocks: of each optimizer ``[steps, seeds]``; runs that diverged do not count.
        falls: whether progress is a smaller value.
    """
    sign = 1 if falls else -1
    runs = [sign * own[seed].to_numpy() for own in clocks for seed in own if np.isfinite(own[seed]).all()]
    if not runs:
        return np.array([])
    start, end = min(run.max() for run in runs), max(run[run.argmax() :].min() for run in runs)
    if end >= start:
        return np.array([])
    spaced = np.geomspace if falls and end > 0 else np.linspace
    return sign * spaced(start, end, points + 1)[1:]


def control(
    frame: pd.DataFrame, value: Key, clocks: Sequence[Clock] = THREE, optimizers: Sequence[str] = (), points: int = 30
) -> pd.DataFrame:
    """:func:`mean_curves.against_clock` of the final runs of an experiment on every clock, at their common levels.

    Runs are read from their first update on: before it, a network is right by chance.

    Args:
        optimizers: those that are compared; none: all.

    Returns:
        Columns ``optimizer, clock, level, mean, sd, n``.
    """
    frame = frame[(frame["phase"] == "final") & (frame["step"] > 0)]
    parts = [pd.DataFrame(columns=COLUMNS).astype({"level": float, "mean": float, "sd": float, "n": int})]
    names = optimizers or frame["optimizer"].unique()
    for clock in clocks:
        split, group, metric = clock.key
        common = levels([frames.curves(frame, name, metric, split, group) for name in names], clock.falls, points)
        found = [mean_curves.against_clock(frame, name, value, clock.key, common) for name in names if len(common)]
        parts += [part.assign(clock=clock.name)[COLUMNS] for part in found]
    return pd.concat(parts, ignore_index=True)
