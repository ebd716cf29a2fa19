"""One map of a grid: values in cells of learning rate x other hyperparameters, the selected cell framed."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from muon_imbalance.reporting.figures import style

Cell = tuple[str, str, str]
"""Learning rate, momentum and further hyperparameters (JSON), as ``grids.CELL`` names them."""


def draw(ax: Axes, table: pd.DataFrame, selected: Cell, cmap: str, top: float, told: Callable[[float], str]) -> None:
    """Cells of ``table`` (index: learning rates, columns: momentum and hyper), from white at 0; dashes: diverged.

    Args:
        top: value of the darkest colour.
        told: a value as it is written into its cell.
    """
    ax.imshow(table, cmap=cmap, vmin=0, vmax=top, aspect="auto")
    for (y, x), value in np.ndenumerate(table.to_numpy()):
        text, colour = "–" if np.isnan(value) else told(value), "white" if value > 0.58 * top else "black"
        ax.text(x, y, text, ha="center", va="center", fontsize=style.SMALLEST_FONT, color=colour)
    y, x = table.index.get_loc(selected[0]), list(table.columns).index(tuple(selected[1:]))
    ax.add_patch(Rectangle((x - 0.44, y - 0.44), 0.88, 0.88, fill=False, edgecolor="#D55E00", linewidth=1.8))
    ax.set_yticks(range(len(table.index)), [f"{float(rate):g}" for rate in table.index])
    ax.set_xticks(range(table.shape[1]), headings(list(table.columns)))
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
