"""Maps of the grids of Fig. 8 (Figs 23, 24): accuracy on the worst group and its mean over groups."""

import pandas as pd
from matplotlib.figure import Figure

from muon_imbalance.analysis.statistics import epochwise
from muon_imbalance.reporting.figures import style
from muon_imbalance.reporting.figures.plots import heat_map

ROWS = {"worst": "worst group", "balanced": "mean over groups"}


def maps(frame: pd.DataFrame) -> heat_map.Shown:
    """Of each optimizer the selected cell and, for each row, percent at the end by learning rate x others."""
    shown = {}
    for name in style.in_order(frame["optimizer"].unique()):
        tables = [100 * epochwise.at_end(frame, name, group, "test").unstack(["momentum", "hyper"]) for group in ROWS]
        chosen = epochwise.selected(frame, name).iloc[-1]
        tables = [one.loc[sorted(one.index, key=float)] for one in tables]
        shown[name] = tuple(chosen[["lr", "momentum", "hyper"]]), tables
    return shown


def draw(shown: heat_map.Shown, title: str) -> tuple[Figure, pd.DataFrame]:
    """The maps, with the selected cells framed; and what is drawn, as a table."""
    looks = {name: ("Blues", (0, 115), "{:.0f}") for name in ROWS.values()}
    widths = [max(1, tables[0].shape[1]) for _, tables in shown.values()]
    fig = heat_map.grids(shown, looks, title, row_height=1.15, width_ratios=widths)
    return fig, heat_map.numbers(shown, ROWS, "group", "percent")
