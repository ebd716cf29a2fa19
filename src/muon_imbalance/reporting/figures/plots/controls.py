"""A row of small panels: a test accuracy at equal progress, one panel for each clock."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from muon_imbalance.analysis.summaries.equal_progress import THREE, Clock
from muon_imbalance.reporting.figures import style


def draw(axes: Sequence[Axes], table: pd.DataFrame, ylabel: str, clocks: Sequence[Clock] = THREE) -> None:
    """Draw :func:`equal_progress.control` in percent; progress is to the right, up to where all runs get to."""
    for ax, clock in zip(axes, clocks, strict=True):
        own = table[(table["clock"] == clock.name) & (table["n"] > 0)]
        for optimizer in style.in_order(own["optimizer"].unique()):
            curve = own[own["optimizer"] == optimizer]
            level = curve["level"] if clock.falls else 100 * curve["level"]
            style.band(ax, level, 100 * curve["mean"], 100 * curve["sd"], optimizer, markers=5)
        ax.set(title=f"Control: at equal\n{clock.name}", ylim=(0, None))
        ax.set_xlabel("loss (falls to the right)" if clock.falls else "training accuracy (%)")
        if own.empty:
            ax.text(0.5, 0.5, "no level that\nall runs pass", transform=ax.transAxes, ha="center", va="center")
            ax.set(xticks=[], yticks=[])
        elif clock.falls:
            ax.set_xscale("log" if own["level"].max() > 10 * own["level"].min() else "linear")
            ax.invert_xaxis()
    axes[0].set_ylabel(ylabel)
