"""Training loss and test accuracies by epoch, and the minority's at equal progress (Figs 18, 19)."""

import pandas as pd
from matplotlib.figure import Figure

from muon_imbalance.analysis.summaries import mean_curves, network_summary
from muon_imbalance.reporting.figures import figure, style
from muon_imbalance.reporting.figures.plots import controls

LOSS, MAJORITY, MINORITY = (
    ("train", "all", "loss"),
    ("test", "majority", "accuracy"),
    ("test", "minority", "accuracy"),
)
HEADINGS = ("training loss", "test accuracy, majority (%)", "test accuracy, minority (%)")


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """The three curves of every final run, see :func:`network_summary.by_epoch`."""
    return network_summary.by_epoch(frame, [LOSS, MAJORITY, MINORITY])


def control(frame: pd.DataFrame) -> pd.DataFrame:
    """Minority accuracy at equal progress, on three clocks."""
    return network_summary.control(frame, MINORITY)


def draw(
    by_epoch: pd.DataFrame, equal: pd.DataFrame, panels: dict[str, str], title: str
) -> tuple[Figure, pd.DataFrame]:
    """Two rows for each experiment of ``panels`` (its name as shown), curves and controls; and what is drawn."""
    fig, axes = figure.subplots(2 * len(panels), len(HEADINGS), row_height=1.6)
    for place, (experiment, name) in enumerate(panels.items()):
        own, same = (table[table["experiment"] == experiment] for table in (by_epoch, equal))
        for ax, key, heading in zip(axes[2 * place], (LOSS, MAJORITY, MINORITY), HEADINGS, strict=True):
            factor = 1 if key == LOSS else 100
            for optimizer in style.in_order(by_epoch["optimizer"].unique()):
                curve = mean_curves.pick(own, optimizer, *key).query("step > 0")
                style.band(ax, curve["epoch"], factor * curve["mean"], factor * curve["sd"], optimizer)
            ax.set(title=heading, xlabel="epoch", ylim=(0, None))
        axes[2 * place, 0].set_ylabel(name)
        controls.draw(axes[2 * place + 1], same, f"{name}:\nminority (%)")
    figure.legend(fig, axes)
    style.heading(fig, title)
    equal = equal.assign(panel="equal progress")
    return fig, pd.concat([by_epoch.assign(panel="by epoch"), equal], ignore_index=True)


def at_end(by_epoch: pd.DataFrame) -> pd.DataFrame:
    """Training loss and test accuracies in percent at the end, means over seeds."""
    end = by_epoch[by_epoch["epoch"] == by_epoch["epoch"].max()]
    end = end.pivot(index=["experiment", "optimizer"], columns="group", values="mean")
    end = end.assign(majority=100 * end["majority"], minority=100 * end["minority"])
    return end.rename(columns={"all": "training loss"}).round(2)
