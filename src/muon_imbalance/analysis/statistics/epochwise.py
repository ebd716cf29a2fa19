"""The paper's selection for each number of fine-tuning epochs e, and the accuracies of what it selects (Fig. 8).

For each optimizer and e: the configuration whose worst-group validation accuracy, averaged over seeds, is highest at
any epoch from 1 to e; ties go to the smaller learning rate. Reported are its test accuracies at epoch e. Every cell of
a grid must have been trained with every seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.analysis.statistics.grids import CELL
from muon_imbalance.common.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def trained(frame: pd.DataFrame, optimizer: str) -> pd.DataFrame:
    """Accuracies of an optimizer's cells after epoch 0: those of its grid, or of its one cell."""
    own = frame[(frame["optimizer"] == optimizer) & (frame["metric"] == "accuracy") & (frame["epoch"] > 0)]
    grid = own[own["phase"] == "grid"]
    return grid if len(grid) else own[own["phase"] == "final"]


def by_cell(rows: pd.DataFrame, split: str, group: str) -> pd.DataFrame:
    """Accuracies: a row for each epoch, columns (cell ..., seed); NaN from where a run diverged.

    Raises:
        UserError: no such curves, or cells with different seeds.
    """
    chosen = rows[(rows["split"] == split) & (rows["group"] == group)]
    if chosen.empty:
        raise UserError(f"no accuracy ({split}, {group}); there are groups {sorted(rows['group'].unique())}")
    table = chosen.pivot(index="epoch", columns=[*CELL, "seed"], values="value").sort_index()
    seeds = table.columns.to_frame(index=False).groupby(CELL)["seed"].agg(lambda own: tuple(sorted(own)))
    if seeds.nunique() > 1:
        raise UserError(f"cells were trained with different seeds: {seeds.to_dict()}")
    return table


def selected(frame: pd.DataFrame, optimizer: str) -> pd.DataFrame:
    """What is selected for each e: index ``epoch`` (e), columns ``lr, momentum, hyper, score, best_epoch``.

    A configuration that diverged in a run has no score from that epoch on.

    Raises:
        UserError: no accuracies of that optimizer, or all its configurations diverged in the first epoch.
    """
    import pandas as pd

    rows = trained(frame, optimizer)
    if rows.empty:
        raise UserError(f"no accuracies of {optimizer}; there are {sorted(frame['optimizer'].unique())}")
    table = by_cell(rows, "validation", "worst")
    scores = table.T.groupby(level=CELL).agg(lambda own: own.mean(skipna=False)).T
    records = {}
    for e in scores.index:
        best = scores.loc[:e].max()  # NaN where there never was a value
        if best.isna().all():
            raise UserError(f"{optimizer}: every cell of the grid diverged in the first epoch; add smaller rates")
        cell = min(best.dropna().index, key=lambda one: (-best[one], float(one[0]), one[1:]))
        when = scores.loc[:e, cell].idxmax()
        records[e] = dict(zip(CELL, cell, strict=True)) | {"score": best[cell], "best_epoch": when}
    return pd.DataFrame(records).T.rename_axis("epoch")


def accuracies(frame: pd.DataFrame, optimizer: str, group: str, split: str = "test") -> pd.DataFrame:
    """Accuracy at epoch e of what is selected for e: a row for each e, a column for each seed."""
    import pandas as pd

    table, choice = by_cell(trained(frame, optimizer), split, group), selected(frame, optimizer)
    return pd.DataFrame({e: table.loc[e, tuple(row[CELL])] for e, row in choice.iterrows()}).T.rename_axis("epoch")


def cached(experiment: Experiment, optimizer: str, group: str) -> pd.DataFrame:
    """:func:`accuracies` on the test split, kept with the experiment."""
    key = ("epochwise", optimizer, group)
    if key not in experiment.cache:
        experiment.cache[key] = accuracies(experiment.frame, optimizer, group)
    return experiment.cache[key]


def summary(frame: pd.DataFrame, groups: tuple[str, ...] = ("balanced", "worst")) -> pd.DataFrame:
    """For every optimizer, e and group: ``optimizer, epoch, group, mean, sd, n``, and the choice ``lr, momentum``."""
    import pandas as pd

    parts = []
    for name in frame["optimizer"].unique():
        choice = selected(frame, name)
        for group in groups:
            found = accuracies(frame, name, group)
            part = pd.DataFrame({"mean": found.mean(axis=1), "sd": found.std(axis=1, ddof=1), "n": found.count(axis=1)})
            part = part.join(choice[["lr", "momentum", "hyper", "best_epoch"]]).reset_index()
            parts.append(part.assign(optimizer=name, group=group))
    table = pd.concat(parts, ignore_index=True)
    return table[["optimizer", "epoch", "group", "mean", "sd", "n", "lr", "momentum", "hyper", "best_epoch"]]


def at_end(frame: pd.DataFrame, optimizer: str, group: str, split: str) -> pd.Series:
    """Accuracy of each cell at the last epoch, mean over seeds, index ``CELL`` (Figs 23, 24)."""
    last = by_cell(trained(frame, optimizer), split, group).iloc[-1]
    return last.groupby(level=CELL).agg(lambda own: np.nan if own.isna().any() else own.mean())
