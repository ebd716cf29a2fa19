"""Steps as long as Muon's with other spectra: the minority by time, by training loss, and in numbers (Fig. S8)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from muon_imbalance.analysis.summaries import mean_curves, minority_numbers
from muon_imbalance.analysis.summaries.minority_numbers import AREA, EQUAL, LOSS, MINORITY
from muon_imbalance.reporting.figures import figure, style

POWERS = {"power_1": 1.0, "power_075": 0.75, "power_05": 0.5, "power_025": 0.25, "power_0": 0.0}
TICKS = {"power_1": "1", "power_075": "3/4", "power_05": "1/2", "power_025": "1/4", "power_0": "0"}


def _between(power: float) -> str:
    """From the blue of the Frobenius norm (1) to the red of the spectral one (0)."""
    return to_hex(power * np.array(to_rgb(style.FROBENIUS)) + (1 - power) * np.array(to_rgb(style.SPECTRAL)))


@dataclass(frozen=True)
class Look:
    """How a control is drawn: in the legend, on the axis of the right panels, colour, line, marker."""

    label: str
    tick: str
    colour: str
    line: tuple = style.SOLID
    marker: str = "o"


LOOKS = {
    name: Look(f"$S^{{{TICKS[name]}}}$" + {0.0: " (Muon)", 1.0: " (momentum)"}.get(q, ""), TICKS[name], _between(q))
    for name, q in POWERS.items()
} | {
    "random_spectrum": Look("random spectrum", "random", "#7b3294", style.DASHED, "D"),
    "row_normalised": Look("equal rows", "rows", "#1b7e5a", style.DASHDOT, "s"),
    "muon_first": Look("Muon on the first layer only", "first", "#6b6b6b", style.DOTTED, "<"),
    "muon_hidden": Look("on hidden layers only", "hidden", "#6b6b6b", style.DOTTED, "^"),
    "muon_last": Look("on the last layer only", "last", "#6b6b6b", style.DOTTED, ">"),
}
CURVES = [*POWERS, "random_spectrum", "row_normalised"]
"""Those that are drawn as curves as well; the others would only hide them."""
HEADINGS = ("by time", "by training loss", "mean over training")
LOWEST = 1e-3
"""Training loss down to which curves are drawn."""


@dataclass(frozen=True)
class Row:
    """One experiment: its name as shown, its unit of time (a column), accuracy of the majority that is asked for."""

    title: str
    time: str
    gate: float | None


ROWS = {
    "spectral_dose_mnist": Row("Colored-MNIST", "step", 0.9),
    "spectral_dose_cifar": Row("CIFAR-10, R = 5", "epoch", None),
}


def _lines(ax: Axes, x: pd.Series, curve: pd.DataFrame, look: Look) -> None:
    mean, sd = 100 * curve["mean"].to_numpy(), 100 * curve["sd"].to_numpy()
    ax.plot(x, mean, color=look.colour, linestyle=look.line, label=look.label, linewidth=1.3)
    ax.fill_between(x, mean - sd, mean + sd, color=look.colour, alpha=0.12, linewidth=0)


def _points(ax: Axes, table: pd.DataFrame, number: str, names: list[str]) -> None:
    """Each seed small, their mean large; powers joined by a line."""
    chosen = table[table["number"] == number].set_index("optimizer")["value"].mul(100)
    for place, name in enumerate(names):
        look, values = LOOKS[name], chosen.loc[[name]]
        ax.plot([place] * len(values), values, linestyle="", marker=".", color=look.colour, alpha=0.5, markersize=4)
        ax.plot(place, values.mean(), marker=look.marker, color=look.colour, markersize=5, markeredgecolor="black",
                markeredgewidth=0.4, linestyle="")  # fmt: skip
    doses = [name for name in names if name in POWERS]
    ax.plot(range(len(doses)), [chosen.loc[[name]].mean() for name in doses], color="#999999", linewidth=0.8, zorder=0)
    ax.set_xticks(range(len(names)), [LOOKS[name].tick for name in names], rotation=90)
    if 0 < len(doses) < len(names):
        ax.axvline(len(doses) - 0.5, color="#bbbbbb", linewidth=0.7)


def draw(frame: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """A row of four panels for each experiment; and what is drawn, as a table."""
    fig, axes = figure.subplots(len(ROWS), 4, row_height=2.1, width_ratios=(1, 1, 1.15, 1.15))
    parts = []
    for panels, (experiment, row) in zip(axes, ROWS.items(), strict=True):
        own = frame[(frame["experiment"] == experiment) & (frame["phase"] == "final")]
        names = [name for name in LOOKS if name in set(own["optimizer"])]
        own = own[own["optimizer"].isin(names)]
        times = own.drop_duplicates("step").set_index("step", drop=False)[row.time]
        curves = mean_curves.over_seeds(own, [MINORITY, LOSS])
        later = own[own["step"] > 0]  # an untrained network is right on half of the minority, or on a tenth
        losses = later[(later["metric"] == "loss") & (later["split"] == "train") & (later["group"] == "all")]["value"]
        levels = np.geomspace(losses.max(), max(losses.min(), LOWEST), 61)
        for name in [name for name in names if name in CURVES]:
            curve = mean_curves.pick(curves, name, *MINORITY).query("step > 0")
            _lines(panels[0], curve["step"].map(times), curve, LOOKS[name])
            same = mean_curves.against_clock(later, name, MINORITY, LOSS, levels)
            same = same[same["n"] == same["n"].max()]
            _lines(panels[1], same["level"], same, LOOKS[name])
            parts.append(same.rename(columns={"level": "train_loss"}).assign(experiment=experiment, panel=HEADINGS[1]))
        table, level = minority_numbers.numbers(own, row.gate)
        for ax, number in zip(panels[2:], (AREA, EQUAL), strict=True):
            _points(ax, table, number, names)
        panels[0].set(ylabel=f"{row.title}\nminority test accuracy (%)", xlabel=row.time)
        panels[1].set(xlabel="training loss", xscale="log" if levels[0] > 10 * levels[-1] else "linear")
        panels[1].invert_xaxis()
        for ax in panels[2:]:
            ax.set_xlabel("power $q$ of $S$; others")
        panels[3].set_title(f"at training loss {level:.2g}")
        shown = curves[curves["group"] == "minority"].query("step > 0")
        late = shown[shown["step"] > 0.2 * shown["step"].max()]
        for ax in panels[:2]:
            ax.set_ylim(-1, 1.3 * 100 * max(late["mean"].max(), 0.1))
        parts.append(curves.assign(experiment=experiment, panel=HEADINGS[0], epoch=curves["step"].map(times)))
        parts.append(table[table["number"] != "end"].assign(experiment=experiment, panel="numbers", train_loss=level))
    for ax, heading in zip(axes[0], HEADINGS, strict=False):
        ax.set_title(heading)
    figure.legend(fig, axes[:, :2])
    style.heading(fig, title)
    return fig, pd.concat(parts, ignore_index=True)
