"""Maps of grids over learning rate and momentum (Figs 16, 17): accuracy on majority and minority, training loss."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from muon_imbalance.analysis.statistics import grids
from muon_imbalance.reporting.figures import figure, style
from muon_imbalance.reporting.figures.plots import heat_map

ROWS = {
    "majority (%)": (("test", "majority", "accuracy"), 100),
    "minority (%)": (("test", "minority", "accuracy"), 100),
    "training loss": (("train", "all", "loss"), 1),
}
Shown = dict[str, tuple[heat_map.Cell, list[pd.DataFrame]]]


def maps(frame: pd.DataFrame) -> Shown:
    """Of each optimizer the selected cell (``grids.CELL``) and a table learning rate x (momentum, hyper) for each row.

    Values are those at the end, means over seeds; an optimizer with one cell has no grid, and its final runs count.
    """
    searched = frame.loc[frame["phase"] == "grid", "optimizer"].unique()
    cells = frame[(frame["phase"] == "grid") | ~frame["optimizer"].isin(searched)]
    end = cells[cells["step"] == cells["step"].max()]
    shown = {}
    for name in style.in_order(end["optimizer"].unique()):
        own, final = end[end["optimizer"] == name], frame[(frame["optimizer"] == name) & (frame["phase"] == "final")]
        tables = []
        for (split, group, metric), factor in ROWS.values():
            rows = own[(own["split"] == split) & (own["group"] == group) & (own["metric"] == metric)]
            one = factor * rows.groupby(grids.CELL)["value"].mean().unstack(["momentum", "hyper"]).sort_index(axis=1)
            tables.append(one.loc[sorted(one.index, key=float)])
        shown[name] = tuple(final[grids.CELL].iloc[0]), tables
    return shown


def draw(shown: Shown, title: str) -> tuple[Figure, pd.DataFrame]:
    """The maps, a column for each optimizer, with the selected cells framed; and what is drawn, as a table."""
    fig, axes = figure.subplots(len(ROWS), len(shown), row_height=1.25)
    tallest = [
        max(1.0, max(np.nanmax(tables[row].to_numpy(), initial=0) for _, tables in shown.values()))
        for row in range(len(ROWS))
    ]
    for column, (name, (selected, tables)) in enumerate(shown.items()):
        for row, (label, one) in enumerate(zip(ROWS, tables, strict=True)):
            colours = "Blues" if label.startswith("minority") else "Greys"
            number = "{:.1f}" if label.endswith("(%)") else "{:.2f}"
            heat_map.draw(axes[row, column], one, selected, colours, (0, 1.15 * tallest[row]), number)
        axes[0, column].set_title(style.of(name).label)
        axes[-1, column].set_xlabel("β")
    for ax, label in zip(axes[:, 0], ROWS, strict=True):
        ax.set_ylabel(f"{label}\nlearning rate")
    style.heading(fig, f"{title} (framed: selected; –: diverged)")
    parts = [
        one.stack(["momentum", "hyper"], future_stack=True)
        .rename("value")
        .reset_index()
        .assign(optimizer=name, map=label, selected_lr=selected[0], selected_momentum=selected[1])
        for name, (selected, tables) in shown.items()
        for label, one in zip(ROWS, tables, strict=True)
    ]
    return fig, pd.concat(parts, ignore_index=True)
