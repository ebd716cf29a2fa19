"""Training loss and test accuracies by epoch, and the minority at equal majority accuracy (Figs 18, 19)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from muon_imbalance.analysis.summaries import mean_curves, network_summary
from muon_imbalance.reporting.figures import figure, style

LOSS, MAJORITY, MINORITY = (
    ("train", "all", "loss"),
    ("test", "majority", "accuracy"),
    ("test", "minority", "accuracy"),
)
HEADINGS = ("training loss", "majority (%)", "minority (%)", "control: minority (%)")


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """The three curves of every final run, see :func:`network_summary.by_epoch`."""
    return network_summary.by_epoch(frame, [LOSS, MAJORITY, MINORITY])


def control(frame: pd.DataFrame) -> pd.DataFrame:
    """Minority accuracy when majority accuracy has risen to each ``level``."""
    clock = frame.assign(value=frame["value"].where(frame["group"] != "majority", -frame["value"]))  # clocks must fall
    table = network_summary.at_equal(clock, MINORITY, MAJORITY, -np.linspace(0.02, 0.98, 49))
    return table.assign(level=-table["level"])


def draw(
    by_epoch: pd.DataFrame, equal: pd.DataFrame, panels: dict[str, str], title: str
) -> tuple[Figure, pd.DataFrame]:
    """A row for each experiment of ``panels`` (its name as shown); and what is drawn, as a table."""
    fig, axes = figure.subplots(len(panels), len(HEADINGS), row_height=1.75)
    for row, (experiment, name) in zip(axes, panels.items(), strict=True):
        own, same = (table[table["experiment"] == experiment] for table in (by_epoch, equal))
        for optimizer in style.in_order(by_epoch["optimizer"].unique()):
            for ax, key, factor in zip(row, (LOSS, MAJORITY, MINORITY), (1, 100, 100), strict=False):
                curve = mean_curves.pick(own, optimizer, *key).query("step > 0")
                style.band(ax, curve["epoch"], factor * curve["mean"], factor * curve["sd"], optimizer)
            curve = same[(same["optimizer"] == optimizer) & (same["n"] > 0)]
            style.band(row[-1], 100 * curve["level"], 100 * curve["mean"], 100 * curve["sd"], optimizer)
        row[0].set_ylabel(name)
        for ax in row:
            ax.set_ylim(0, None)
    for ax, name in zip(axes[0], HEADINGS, strict=True):
        ax.set_title(name)
    for ax in axes[-1, :-1]:
        ax.set_xlabel("epoch")
    axes[-1, -1].set_xlabel("majority (%)")
    figure.legend(fig, axes)
    style.heading(fig, title)
    equal = equal.rename(columns={"level": "majority_accuracy"}).assign(panel="equal majority accuracy")
    return fig, pd.concat([by_epoch.assign(panel="by epoch"), equal], ignore_index=True)


def at_end(by_epoch: pd.DataFrame) -> pd.DataFrame:
    """Training loss of the last epoch and accuracies in percent at the end, means over seeds."""
    end = by_epoch[by_epoch["epoch"] == by_epoch["epoch"].max()]
    end = end.pivot(index=["experiment", "optimizer"], columns="group", values="mean")
    end = end.assign(majority=100 * end["majority"], minority=100 * end["minority"])
    return end.rename(columns={"all": "training loss"}).round(2)
