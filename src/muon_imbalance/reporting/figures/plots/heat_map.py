"""Heat maps: the grid of an optimizer's hyperparameters with the selected cell framed, and plain matrices."""

import json

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from muon_imbalance.reporting.figures import style

Cell = tuple[str, str, str]
"""Learning rate, momentum and further hyperparameters (JSON), as ``grids.CELL`` names them."""


def draw(ax: Axes, table: pd.DataFrame, selected: Cell, cmap: str, limits: tuple[float, float], number: str) -> None:
    """Cells of ``table`` (index: learning rates, columns: momentum and hyper) with their values; dashes: diverged.

    Args:
        limits: values of the first and of the last colour.
        number: format of the values, such as ``{:.1f}``.
    """
    texts = np.array([["–" if np.isnan(value) else number.format(value) for value in row] for row in table.to_numpy()])
    ticks = {"yticklabels": [f"{float(rate):g}" for rate in table.index], "xticklabels": headings(list(table.columns))}
    matrix(ax, table, cmap, limits, annot=texts, fmt="", annot_kws={"fontsize": style.SMALLEST_FONT}, **ticks)
    for y, x in np.argwhere(table.isna().to_numpy()):  # seaborn leaves cells without a value empty
        ax.text(x + 0.5, y + 0.5, texts[y, x], ha="center", va="center", fontsize=style.SMALLEST_FONT)
    y, x = table.index.get_loc(selected[0]), list(table.columns).index(tuple(selected[1:]))
    ax.add_patch(Rectangle((x + 0.05, y + 0.05), 0.9, 0.9, fill=False, edgecolor="#D55E00", linewidth=1.8))


def matrix(ax: Axes, table: pd.DataFrame | np.ndarray, cmap: str, limits: tuple[float, float], **options) -> None:
    """Entries of a matrix as colours, without a bar unless ``options`` (of ``seaborn.heatmap``) ask for one."""
    low, high = limits
    seaborn.heatmap(table, ax=ax, cmap=cmap, vmin=low, vmax=high, **{"cbar": False} | options)
    ax.set(xlabel="", ylabel="")  # seaborn writes the names of index and columns
    ax.tick_params(axis="y", rotation=0)
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
