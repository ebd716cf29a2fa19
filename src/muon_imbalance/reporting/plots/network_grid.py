"""Maps of grids over learning rate and momentum (Figs 16, 17): accuracy on majority and minority, training loss."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from muon_imbalance.analysis import grids
from muon_imbalance.reporting import figure, style

ROWS = {
    "majority (%)": (("test", "majority", "accuracy"), 100),
    "minority (%)": (("test", "minority", "accuracy"), 100),
    "training loss": (("train", "all", "loss"), 1),
}
Shown = dict[str, tuple[tuple[str, str, str], list[pd.DataFrame]]]


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
            _map(axes[row, column], one, selected, tallest[row], label)
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


def momenta(values: list[str]) -> list[str]:
    """Momenta as a figure shows them; where none was set, as for Adam without betas in its grid, "default"."""
    return [f"{float(value):g}" if any(map(float, values)) else "default" for value in values]


def _map(ax, one: pd.DataFrame, selected: tuple[str, str, str], tallest: float, label: str) -> None:
    ax.imshow(
        one, cmap="Blues" if label.startswith("minority") else "Greys", vmin=0, vmax=1.15 * tallest, aspect="auto"
    )
    for (y, x), value in np.ndenumerate(one.to_numpy()):
        text = "–" if np.isnan(value) else f"{value:.1f}" if label.endswith("(%)") else f"{value:.2f}"
        colour = "white" if value > 0.65 * tallest else "black"
        ax.text(x, y, text, ha="center", va="center", fontsize=style.SMALLEST_FONT, color=colour)
    y, x = one.index.get_loc(selected[0]), one.columns.get_loc(selected[1:])
    ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor="#D55E00", linewidth=1.8))
    ax.set_yticks(range(len(one.index)), [f"{float(lr):g}" for lr in one.index])
    ax.set_xticks(range(len(one.columns)), momenta([beta for beta, _ in one.columns]))
    ax.grid(False)
