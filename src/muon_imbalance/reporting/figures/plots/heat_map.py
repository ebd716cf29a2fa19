"""Heat maps: the grid of an optimizer's hyperparameters with the selected cell framed, and plain matrices."""

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from seaborn.utils import relative_luminance

from muon_imbalance.reporting.figures import figure, style

Cell = tuple[str, str, str]
"""Learning rate, momentum and further hyperparameters (JSON), as ``grids.CELL`` names them."""
Shown = dict[str, tuple[Cell, list[pd.DataFrame]]]
"""Of each optimizer the selected cell and tables learning rate x (momentum, hyper), one for each row of a figure."""
DARK = 0.25
"""Relative luminance of a cell below which its value is written in white (at 0.18 black and white are as clear)."""


def draw(ax: Axes, table: pd.DataFrame, selected: Cell, cmap: str, limits: tuple[float, float], number: str) -> None:
    """Cells of ``table`` (index: learning rates, columns: momentum and hyper) with their values; dashes: diverged.

    Args:
        limits: values of the first and of the last colour.
        number: format of the values, such as ``{:.1f}``.
    """
    ticks = {"yticklabels": [f"{float(rate):g}" for rate in table.index], "xticklabels": headings(list(table.columns))}
    matrix(ax, table, cmap, limits, **ticks)
    colours = ax.collections[0].to_rgba(table.to_numpy())
    for (y, x), value in np.ndenumerate(table.to_numpy()):  # seaborn's own are too pale, and none where a run diverged
        text = "–" if np.isnan(value) else number.format(value)
        dark = not np.isnan(value) and relative_luminance(colours[y, x]) < DARK
        look = {"fontsize": style.SMALLEST_FONT, "color": "white" if dark else "black"}
        ax.text(x + 0.5, y + 0.5, text, ha="center", va="center", **look)
    y, x = table.index.get_loc(selected[0]), list(table.columns).index(tuple(selected[1:]))
    ax.add_patch(Rectangle((x + 0.05, y + 0.05), 0.9, 0.9, fill=False, edgecolor="#D55E00", linewidth=1.8))


def matrix(ax: Axes, table: pd.DataFrame | np.ndarray, cmap: str, limits: tuple[float, float], **options) -> None:
    """Entries of a matrix as colours, without a bar unless ``options`` (of ``seaborn.heatmap``) ask for one."""
    figure = ax.get_figure(root=True)
    canvas = figure.canvas
    FigureCanvasBase(figure)  # it cannot draw: seaborn would draw the whole figure, to see whether labels overlap
    try:
        seaborn.heatmap(table, ax=ax, cmap=cmap, vmin=limits[0], vmax=limits[1], **{"cbar": False} | options)
    finally:
        figure.set_canvas(canvas)
    ax.set(xlabel="", ylabel="")  # seaborn writes the names of index and columns
    ax.tick_params(rotation=0)
    ax.grid(False)


def headings(columns: list[tuple[str, str]]) -> list[str]:
    """Momentum of each column ("default" where none was set, as for Adam without betas in its grid), and on a line of
    its own the weight decay that is set.
    """
    given = any(float(momentum) for momentum, _ in columns)
    decays = [json.loads(hyper).get("weight_decay") for _, hyper in columns]
    return [
        (f"{float(momentum):g}" if given else "default") + ("" if decay is None else f"\n{float(decay):g}")
        for (momentum, _), decay in zip(columns, decays, strict=True)
    ]


def grids(shown: Shown, looks: dict[str, tuple[str, tuple[float, float], str]], title: str, **layout) -> Figure:
    """A column for each optimizer and a row for each of ``looks``: its name -> colours, limits, number of :func:`draw`.

    ``layout``: of :func:`figure.subplots`.
    """
    fig, axes = figure.subplots(len(looks), len(shown), **layout)
    for column, (name, (selected, tables)) in zip(axes.T, shown.items(), strict=True):
        for ax, table, look in zip(column, tables, looks.values(), strict=True):
            draw(ax, table, selected, *look)
        column[0].set_title(style.of(name).label)
        column[-1].set_xlabel("β")
    for ax, name in zip(axes[:, 0], looks, strict=True):
        ax.set_ylabel(f"{name}\nlearning rate")
    style.heading(fig, title)
    return fig


def numbers(shown: Shown, rows: Iterable[str], row: str, value: str) -> pd.DataFrame:
    """What :func:`grids` draws: ``lr, momentum, hyper``, the column ``value``, ``optimizer`` and the column ``row``."""
    return pd.concat(
        [
            table.stack(["momentum", "hyper"], future_stack=True)
            .rename(value)
            .reset_index()
            .assign(**{"optimizer": name, row: label})
            for name, (_, tables) in shown.items()
            for label, table in zip(rows, tables, strict=True)
        ],
        ignore_index=True,
    )
