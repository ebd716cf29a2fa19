"""Maps of the grids of Fig. 8 (Figs 23, 24): accuracy on the worst group and its mean over groups."""

import json

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from muon_imbalance.analysis import epochwise
from muon_imbalance.reporting import figure, style
from muon_imbalance.reporting.plots import network_grid

ROWS = {"worst": "worst group", "balanced": "mean over groups"}
Shown = dict[str, tuple[tuple[str, str, str], list[pd.DataFrame]]]


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
            _map(ax, one, selected)
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


def _map(ax, one: pd.DataFrame, selected: tuple[str, str, str]) -> None:
    ax.imshow(one, cmap="Blues", vmin=0, vmax=115, aspect="auto")
    for (y, x), value in np.ndenumerate(one.to_numpy()):
        text, colour = "–" if np.isnan(value) else f"{value:.0f}", "white" if value > 70 else "black"
        ax.text(x, y, text, ha="center", va="center", fontsize=style.SMALLEST_FONT, color=colour)
    y, x = one.index.get_loc(selected[0]), list(one.columns).index(tuple(selected[1:]))
    ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor="#D55E00", linewidth=1.8))
    ax.set_yticks(range(len(one.index)), [f"{float(rate):g}" for rate in one.index])
    betas = network_grid.momenta([momentum for momentum, _ in one.columns])
    ax.set_xticks(
        range(one.shape[1]), [beta + _decay(hyper) for beta, (_, hyper) in zip(betas, one.columns, strict=True)]
    )
    ax.grid(False)


def _decay(hyper: str) -> str:
    """The weight decay on a line of its own, where it is swept."""
    decay = json.loads(hyper).get("weight_decay")
    return "" if decay is None else f"\n{float(decay):g}"
