"""One plotting style for every figure: an optimizer has the same colour, line, marker and label everywhere.

The colour tells the geometry of the step, in three hues that stay apart for colour-blind readers (after Okabe & Ito):
blue = Frobenius norm, orange = max norm, red = spectral norm. Without momentum the shade is darker, variants of Muon
are lighter. Black and grey are plain gradient steps; Adam, Shampoo and Lion-K have hues of their own. No two optimizers
share both line style and marker, so that curves can be told apart in a grey print.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from muon_imbalance.reporting.figures import layout

FULL_WIDTH = 6.8
"""Width in inches of a figure over both columns."""
SMALLEST_FONT = 7.0
"""Points; nothing in a figure is set smaller."""

FROBENIUS, MAXIMUM, SPECTRAL = "#0072B2", "#D18B00", "#B3123A"
COMPONENTS = ("#1b1b1b", "#7b3294", "#1b9e77", "#e08214", "#2166ac")
"""Colours of a linear model's components, most frequent class first, where colours do not stand for optimizers."""


def _shade(colour: str, towards: str, share: float) -> str:
    """Mix ``share`` of ``towards`` into ``colour``."""
    return to_hex((1 - share) * np.array(to_rgb(colour)) + share * np.array(to_rgb(towards)))


@dataclass(frozen=True)
class Style:
    """How one optimizer is drawn: legend label, colour (hex), Matplotlib line style, marker, line width in points."""

    label: str
    colour: str
    line: str | tuple
    marker: str
    width: float = 1.4


SOLID, DASHED, DOTTED, DASHDOT = (0, ()), (0, (4.5, 1.8)), (0, (1, 1.4)), (0, (5, 1.4, 1.2, 1.4))

STYLES: dict[str, Style] = {
    "gd": Style("GD", "#1a1a1a", DOTTED, "x"),
    "sgd": Style("SGD", "#6b6b6b", DOTTED, "v"),
    "ngd": Style("NGD", _shade(FROBENIUS, "black", 0.25), DASHED, "o"),
    "nmd": Style("NMD", FROBENIUS, DASHED, "s"),
    "nmd_global": Style("NMD (global norm)", _shade(FROBENIUS, "white", 0.35), (0, (1, 2.2)), "8", 1.1),
    "signgd": Style("SignGD", _shade(MAXIMUM, "black", 0.15), DASHDOT, "^"),
    "signum": Style("Signum", MAXIMUM, DASHDOT, "D"),
    "specgd": Style("SpecGD", _shade(SPECTRAL, "black", 0.25), SOLID, "P"),
    "muon": Style("Muon", SPECTRAL, SOLID, "*"),
    "muon_ns1": Style("Muon (1 NS iteration)", _shade(SPECTRAL, "white", 0.35), (0, (1, 2.2)), "<", 1.1),
    "muon_all": Style("Muon (all matrices)", _shade(SPECTRAL, "white", 0.35), (0, (3, 1, 1, 1)), "d", 1.1),
    "muon_exact": Style("Muon (exact polar)", _shade(SPECTRAL, "white", 0.35), (0, (7, 1.5)), ">", 1.1),
    "adam": Style("Adam", "#009E73", (0, (3, 1.2, 1, 1.2, 1, 1.2)), "h"),
    "shampoo": Style("Shampoo", "#CC79A7", (0, (2.4, 1.2)), "p"),
    "lion_k": Style("Lion-K", "#3C9DD6", (0, (7, 1.5, 2.2, 1.5)), "X"),
}
"""The optimizers of the papers, in the order of legends."""

_OTHER_LINES = ((0, (6, 1, 1, 1, 1, 1)), (0, (3, 2, 1, 2)), (0, (9, 2)), (0, (2, 1, 6, 1)))
_OTHER_MARKERS = ("1", "2", "3", "4", "+", "|")
_OTHER_HUES = ((0.17, 0.28), (0.70, 0.79))
"""Parts of the colour circle that none of :data:`STYLES` has: olive to leaf green, indigo to violet."""


def of(optimizer: str) -> Style:
    """Style of an optimizer; a name that is not in :data:`STYLES` gets one that depends on nothing but the name."""
    if optimizer in STYLES:
        return STYLES[optimizer]
    digest = hashlib.sha256(optimizer.encode()).digest()
    low, high = _OTHER_HUES[digest[4] % len(_OTHER_HUES)]
    hue = low + (high - low) * digest[0] / 255
    colour = to_hex(hsv_to_rgb((hue, 0.8, 0.48 + 0.14 * digest[1] / 255)))
    line = _OTHER_LINES[digest[2] % len(_OTHER_LINES)]
    return Style(optimizer, colour, line, _OTHER_MARKERS[digest[3] % len(_OTHER_MARKERS)])


def in_order(optimizers: Sequence[str]) -> list[str]:
    """The given optimizers, each once, in the order of legends (known ones first, then by name)."""
    known = [name for name in STYLES if name in optimizers]
    return known + sorted(set(optimizers) - set(known))


def use_style() -> None:
    """Set Matplotlib's defaults; what a user's own ``matplotlibrc`` says is dropped, figures look alike everywhere."""
    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.figsize": (FULL_WIDTH, 2.6),
            "figure.constrained_layout.use": True,
            "savefig.dpi": 200,
            "font.family": "DejaVu Sans",
            "mathtext.fontset": "dejavusans",
            "font.size": 8,
            "figure.titlesize": 9,
            "axes.titlesize": 8,
            "axes.labelsize": 8,
            "xtick.labelsize": SMALLEST_FONT,
            "ytick.labelsize": SMALLEST_FONT,
            "legend.fontsize": SMALLEST_FONT,
            "legend.frameon": False,
            "legend.handlelength": 2.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.7,
            "axes.grid": True,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "lines.linewidth": 1.4,
            "lines.markersize": 4,
            "pdf.fonttype": 42,
            "svg.hashsalt": "muon-imbalance",
        }
    )


def curve(ax: Axes, x, y, optimizer: str, *, label: str | None = None, markers: int = 8, **kwargs) -> Line2D:
    """Draw one optimizer's curve (``x``, ``y``: [n]) with about ``markers`` marks; ``label``: not its own.

    Marks of different optimizers are shifted, so that curves that coincide both stay visible.
    """
    style = of(optimizer)
    names = list(STYLES)
    shift = names.index(optimizer) / len(names) if optimizer in STYLES else 0.5
    settings = {
        "color": style.colour,
        "linestyle": style.line,
        "marker": style.marker,
        "markersize": 6 if style.marker == "*" else 4,
        "linewidth": style.width,
        "markevery": (shift / markers, 1 / markers),  # in diagonals of the panel, also on log axes
        "label": style.label if label is None else label,
    }
    if not np.isfinite(np.asarray(y, dtype=float)).any():
        settings["markevery"] = None  # of a curve without a point Matplotlib cannot tell where marks go
    (line,) = ax.plot(x, y, **(settings | kwargs))
    return line


def band(ax: Axes, steps, mean, sd, optimizer: str, **kwargs) -> Line2D:
    """Curve of the mean with a band of one standard deviation to both sides (``sd`` None: none); all [n]."""
    line = curve(ax, steps, mean, optimizer, **kwargs)
    if sd is not None:
        mean, sd = np.asarray(mean, dtype=float), np.asarray(sd, dtype=float)
        ax.fill_between(steps, mean - sd, mean + sd, color=line.get_color(), alpha=0.18, linewidth=0)
    return line


def heading(fig: Figure, title: str) -> None:
    """Title of the whole figure."""
    layout.note(fig, title, "heading", mpl.rcParams["figure.titlesize"], fontweight="bold", va="top")


def footer(fig: Figure, data_label: str, scale: str) -> None:
    """Say at the foot of the figure which data it shows and at which scale it was run."""
    text = f"Data: {data_label}. Scale: {scale}."
    layout.note(fig, text, "footer", SMALLEST_FONT, color="#555555", va="bottom")
