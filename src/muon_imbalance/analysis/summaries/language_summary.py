"""Curves of language models by epoch, ready to plot."""

from collections.abc import Sequence

import pandas as pd

from muon_imbalance.analysis.summaries import mean_curves, network_summary

Name = tuple[str, str]  # group, metric


def by_epoch(frame: pd.DataFrame, experiment: str, names: Sequence[Name], split: str = "validation") -> pd.DataFrame:
    """The final runs' curves ``(group, metric)`` as ``network_summary.by_epoch`` gives them."""
    own = frame[frame["experiment"] == experiment]
    return network_summary.by_epoch(own, [(split, group, metric) for group, metric in names])


def pick(curves: pd.DataFrame, optimizer: str, group: str, metric: str) -> pd.DataFrame:
    """One curve of :func:`by_epoch`."""
    return mean_curves.pick(curves, optimizer, curves["split"].iloc[0], group, metric)


def against(curves: pd.DataFrame, optimizer: str, x: Name, y: Name) -> pd.DataFrame:
    """Two curves of an optimizer at the same epochs, without the one before training: columns ``epoch, x, y``."""
    first, second = (pick(curves, optimizer, *name).set_index("epoch")["mean"] for name in (x, y))
    return pd.DataFrame({"x": first, "y": second}).iloc[1:].reset_index()


def tokens(frame: pd.DataFrame, experiment: str) -> dict[str, int]:
    """Number of validation tokens behind each group's points."""
    own = frame[(frame["experiment"] == experiment) & (frame["metric"] == "tokens")]
    return own.groupby("group")["value"].first().astype(int).to_dict()
