"""What notebooks call to lay out and to save a figure or a table, so that they stay thin."""

from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import write_text
from muon_imbalance.reporting.figures import layout, style
from muon_imbalance.reporting.site import tables

_PDF = {"Creator": "muon-imbalance", "Producer": "Matplotlib", "CreationDate": None, "ModDate": None}
_PNG = {"Software": None}


@dataclass(frozen=True)
class Saved:
    """Files written by :func:`save` or :func:`save_table`; Jupyter shows the picture or the table."""

    files: list[Path]
    png: bytes | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return "saved " + ", ".join(path.name for path in self.files)

    def _repr_png_(self) -> bytes | None:
        return self.png

    def _repr_html_(self) -> str | None:
        return self.html


def subplots(
    rows: int = 1, columns: int = 1, *, width: float = style.FULL_WIDTH, row_height: float = 2.1, **kwargs
) -> tuple[Figure, np.ndarray]:
    """A styled figure and its axes ``[rows, columns]`` (always a 2-D array); sizes in inches."""
    style.use_style()
    extra = 0.7  # for heading, legend and footer
    return plt.subplots(rows, columns, figsize=(width, rows * row_height + extra), squeeze=False, **kwargs)


def legend(fig: Figure, axes: np.ndarray | Axes, columns: int | None = None) -> None:
    """One legend for the whole figure, below its panels, each label once in the order of :data:`style.STYLES`."""
    entries: dict[str, object] = {}
    for ax in np.ravel(axes):
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    rank = {known.label: position for position, known in enumerate(style.STYLES.values())}
    labels = sorted(entries, key=lambda label: rank.get(label, len(rank)))
    if not labels:
        raise UserError("a legend needs curves with labels; none of the panels has one")
    layout.legend(fig, {label: entries[label] for label in labels}, columns)


def _files(table: pd.DataFrame, output_dir: str | Path, stem: str, *suffixes: str) -> list[Path]:
    """Where a figure's files go; the folder is made, and ``table`` is refused if it is empty."""
    if table.empty:
        raise UserError(f"{stem}: the table of plotted numbers has no rows")
    Path(output_dir).mkdir(parents=True, exist_ok=True)
    return [Path(output_dir, f"{stem}.{suffix}") for suffix in suffixes]


def save(fig: Figure, output_dir: str | Path, stem: str, table: pd.DataFrame) -> Saved:
    """Write ``<stem>.pdf``, ``.png`` (200 dpi) and ``.csv`` (``table``, the plotted numbers).

    The figure is closed. The files carry no dates and no version of Matplotlib: the same figure gives the same bytes.

    Raises:
        UserError: ``table`` is empty.
    """
    pdf, png, csv = _files(table, output_dir, stem, "pdf", "png", "csv")
    fig.get_layout_engine().execute(fig)  # once: with an engine each of the files would arrange the panels anew
    with plt.rc_context({"figure.constrained_layout.use": False}):
        fig.set_layout_engine(None)
        fig.savefig(pdf, metadata=_PDF)
        fig.savefig(png, dpi=200, metadata=_PNG)
    table.to_csv(csv, index=False, lineterminator="\n")
    plt.close(fig)
    return Saved([pdf, png, csv], png=png.read_bytes())


def save_table(table: pd.DataFrame, output_dir: str | Path, stem: str, caption: str) -> Saved:
    """Write ``<stem>.csv`` and ``<stem>.html``; in the page, TeX between dollar signs is MathML.

    Raises:
        UserError: ``table`` is empty or a formula cannot be translated.
    """
    csv, html = _files(table, output_dir, stem, "csv", "html")
    table.to_csv(csv, index=False, lineterminator="\n")
    fragment = tables.fragment(table, caption)
    write_text(html, tables.document(fragment, caption))
    return Saved([csv, html], html=fragment)
