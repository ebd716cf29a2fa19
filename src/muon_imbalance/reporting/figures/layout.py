"""Heading, legend and footer of a figure, clear of its panels and of each other.

Matplotlib's constrained layout knows them one by one only; placed together they would overlap.
"""

import textwrap
from collections.abc import Mapping

from matplotlib.artist import Artist
from matplotlib.figure import Figure

LETTER = 0.6
"""Mean width of a letter of DejaVu Sans in em."""
PAD = 3.0
"""Points between two of them."""


def wrap(text: str, inches: float, size: float) -> str:
    """Break ``text`` into lines of at most ``inches`` at ``size`` points."""
    return textwrap.fill(text, max(20, int(inches * 72 / (LETTER * size))))


def _lines_height(lines: int, size: float) -> float:
    return (1.3 * lines * size + PAD) / 72


def arrange(fig: Figure) -> None:
    """Put heading, legend and footer of ``fig`` in their places and give the panels the rest."""
    height = fig.get_figheight()
    texts = {item.get_gid(): item for item in fig.texts}
    top = bottom = 0.0
    if heading := texts.get("heading"):
        heading.set_y(1 - PAD / 72 / height)
        top = _lines_height(heading.get_text().count("\n") + 1, heading.get_fontsize()) + PAD / 72
    if footer := texts.get("footer"):
        footer.set_y(PAD / 72 / height)
        bottom = _lines_height(footer.get_text().count("\n") + 1, footer.get_fontsize()) + PAD / 72
    for legend in fig.legends:
        legend.set_bbox_to_anchor((0.5, bottom / height), transform=fig.transFigure)
        bottom += legend.get_window_extent(fig.canvas.get_renderer()).height / fig.dpi + PAD / 72
    fig.get_layout_engine().set(rect=(0, bottom / height, 1, 1 - (top + bottom) / height))


def note(fig: Figure, text: str, role: str, size: float, **kwargs) -> None:
    """Write the ``heading`` or ``footer`` of ``fig``, broken to its width, in place of an earlier one."""
    for old in [item for item in fig.texts if item.get_gid() == role]:
        old.remove()
    fig.text(0.01, 0, wrap(text, 0.98 * fig.get_figwidth(), size), gid=role, fontsize=size, **kwargs)
    arrange(fig)


def legend(fig: Figure, entries: Mapping[str, Artist], columns: int | None = None) -> None:
    """Legend of ``fig`` below its panels, label to handle; as many columns as fit unless ``columns`` says."""
    width, renderer = 0.98 * fig.get_figwidth() * fig.dpi, fig.canvas.get_renderer()
    for count in range(columns or len(entries), 0, -1):
        frame = {"loc": "lower center", "borderpad": 0.0, "borderaxespad": 0.0, "ncols": count}
        drawn = fig.legend(list(entries.values()), list(entries), **frame)
        if columns or count == 1 or drawn.get_window_extent(renderer).width <= width:
            break
        drawn.remove()
    arrange(fig)
