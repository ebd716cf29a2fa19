"""Maps of grids over learning rate and momentum (Figs 16, 17): accuracy on majority and minority, training loss."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from muon_imbalance.analysis.statistics import grids
from muon_imbalance.reporting.figures import style
from muon_imbalance.reporting.figures.plots import heat_map

ROWS = {
    "majority (%)": (("test", "majority", "accuracy"), 100),
    "minority (%)": (("test", "minority", "accuracy"), 100),
    "training loss": (("train", "all", "loss"), 1),
}


def maps(frame: pd.DataFrame) -> heat_map.Shown:
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


def draw(shown: heat_map.Shown, title: str) -> tuple[Figure, pd.DataFrame]:
    """The maps, with the selected cells framed; and what is drawn, as a table."""
    looks = {}
    for place, label in enumerate(ROWS):
        tallest = max(1.0, max(np.nanmax(tables[place].to_numpy(), initial=0) for _, tables in shown.values()))
        colours = "Blues" if label.startswith("minority") else "Greys"
        looks[label] = colours, (0, 1.15 * tallest), "{:.1f}" if label.endswith("(%)") else "{:.2f}"
    fig = heat_map.grids(shown, looks, f"{title} (framed: selected; –: diverged)", row_height=1.25)
    table = heat_map.numbers(shown, ROWS, "map", "value")
    chosen = table["optimizer"].map(lambda name: shown[name][0])
    return fig, table.assign(selected_lr=chosen.str[0], selected_momentum=chosen.str[1])
