"""Curves of experiments on minibatches, by epoch, ready to plot."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from muon_imbalance.analysis.summaries import equal_progress, mean_curves
from muon_imbalance.data.store import manifest

Key = tuple[str, str, str]  # split, group, metric


def by_epoch(frame: pd.DataFrame, curves: Sequence[Key]) -> pd.DataFrame:
    """:func:`mean_curves.over_seeds` of every experiment, with the columns ``experiment`` and ``epoch``."""
    parts = []
    for name, part in frame.groupby("experiment", sort=False):
        epochs = part.drop_duplicates("step").set_index("step")["epoch"]
        table = mean_curves.over_seeds(part, curves)
        parts.append(table.assign(experiment=name, epoch=table["step"].map(epochs)))
    return pd.concat(parts, ignore_index=True)


def control(frame: pd.DataFrame, value: Key) -> pd.DataFrame:
    """:func:`equal_progress.control` of every experiment, with the column ``experiment``."""
    parts = [equal_progress.control(own, value).assign(experiment=name) for name, own in frame.groupby("experiment")]
    return pd.concat(parts, ignore_index=True)


def at_equal(frame: pd.DataFrame, value: Key, clock: Key, levels: np.ndarray) -> pd.DataFrame:
    """:func:`mean_curves.against_clock` of every experiment and optimizer, with the column ``experiment``."""
    parts = []
    for name, part in frame.groupby("experiment", sort=False):
        for optimizer in part["optimizer"].unique():
            parts.append(mean_curves.against_clock(part, optimizer, value, clock, levels).assign(experiment=name))
    return pd.concat(parts, ignore_index=True)


def titles(datasets: dict[str, str | Path]) -> dict[str, str]:
    """Name of each data set with its ratio, such as "CIFAR-10, R = 20"; a stand-in is called what it is."""
    found = {}
    for name, folder in datasets.items():
        held = manifest.read(Path(folder))
        parent = held["label"].partition(", STEP")[0].partition(" (")[0]
        found[name] = f"{parent}, R = {held['config']['ratio']:g}"
    return found
