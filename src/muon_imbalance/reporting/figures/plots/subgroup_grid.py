"""Maps of the grids of Fig. 8 (Figs 23, 24): accuracy on the worst group and its mean over groups."""

import pandas as pd
from matplotlib.figure import Figure

from muon_imbalance.analysis.statistics import epochwise
from muon_imbalance.reporting.figures import figure, style
from muon_imbalance.reporting.figures.plots import heat_map

ROWS = {"worst": "worst group", "balanced": "mean over groups"}
Shown = dict[str, tuple[heat_map.Cell, list[pd.DataFrame]]]


def maps(frame: pd.DataFrame) -> Shown:
    """Of each optimizer the selected cell and, for each row, percent at the end by learning rate x others."""
    shown = {}
    for name in style.in_order(frame["optimizer"].unique()):
        tables = [100 * epochwise.at_end(frame, name, group, "test").unstack(["momentum", "hyper"]) for group in ROWS]
        chosen = epochwise.selected(frame, name).iloc[-1]
        tables = [one.loc[sorted(one.index, key=float)] for one in tables]
        shown[name] = tuple(chosen[["lr", "momentum", "hyper"]]), tables
    return shown


def draw(shown: Shown, title: str) -> tuple[Figure, pd.DataFrame]:
    """The maps, a column for each optimizer, with the selected cells framed; and what is drawn, as a table."""
    widths = [max(1, tables[0].shape[1]) for _, tables in shown.values()]
    fig, axes = figure.subplots(len(ROWS), len(shown), row_height=1.15, width_ratios=widths)
    for column, (name, (selected, tables)) in enumerate(shown.items()):
        for ax, one in zip(axes[:, column], tables, strict=True):
            heat_map.draw(ax, one, selected, "Blues", (0, 115), "{:.0f}")
        axes[0, column].set_title(style.of(name).label)
        axes[-1, column].set_xlabel("β")
    for ax, name in zip(axes[:, 0], ROWS.values(), strict=True):
        ax.set_ylabel(f"{name}\nlearning rate")
    style.heading(fig, title)
    parts = [
        one.stack(["momentum", "hyper"], future_stack=True)
        .rename("percent")
        .reset_index()
        .assign(optimizer=name, group=group)
        for name, (_, tables) in shown.items()
        for group, one in zip(ROWS, tables, strict=True)
    ]
    return fig, pd.concat(parts, ignore_index=True)
