"""The minority at several strengths of the spurious feature: by step, and in numbers by its share (Fig. S9)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muon_imbalance.analysis.statistics.reductions import MAJORITY_GATE
from muon_imbalance.analysis.summaries import mean_curves, minority_numbers
from muon_imbalance.analysis.summaries.minority_numbers import AREA, EQUAL, MINORITY
from muon_imbalance.reporting.figures import figure, style

OPTIMIZERS = ("nmd", "sgd", "adam", "muon")


def numbers(frame: pd.DataFrame, strengths: dict[str, float]) -> pd.DataFrame:
    """Area and value at equal training loss of every run: ``optimizer, seed, number, value, experiment, minority`` (the
    share of training images in the minority, in percent) and ``train_loss``, the level.
    """
    parts = []
    for experiment, strength in strengths.items():
        own = frame[(frame["experiment"] == experiment) & frame["optimizer"].isin(OPTIMIZERS)]
        table, level = minority_numbers.numbers(own, MAJORITY_GATE)
        parts.append(table.assign(experiment=experiment, minority=round(100 * (1 - strength), 6), train_loss=level))
    found = pd.concat(parts, ignore_index=True)
    common = set.intersection(*(set(part["seed"]) for _, part in found.groupby("experiment")))
    return found[found["seed"].isin(common)]


def leads(table: pd.DataFrame) -> pd.DataFrame:
    """Muon's lead over each other optimizer, seed by seed, by share of the minority."""
    parts = [
        minority_numbers.leads(part, "muon").assign(experiment=experiment, minority=part["minority"].iloc[0])
        for experiment, part in table.groupby("experiment", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)


def _by_share(ax: Axes, table: pd.DataFrame, number: str, offset: float = 1.0) -> None:
    """Means over seeds, and bars of one standard deviation, against the share of the minority."""
    for place, name in enumerate(style.in_order(table["optimizer"].unique())):
        own = table[(table["optimizer"] == name) & (table["number"] == number)]
        found = own.groupby("minority")["value"].agg(["mean", "std"]).mul(100)
        look = style.of(name)
        shift = (1 + 0.05 * offset) ** (place - 1.5)  # so that bars do not hide each other
        ax.errorbar(found.index * shift, found["mean"], found["std"], color=look.colour, linestyle=look.line,
                    marker=look.marker, markersize=5, capsize=2, elinewidth=0.8, label=look.label)  # fmt: skip


def draw(frame: pd.DataFrame, strengths: dict[str, float], title: str) -> tuple[Figure, pd.DataFrame]:
    """Curves at the weakest, a middle and the largest strength; numbers at all; and what is drawn, as a table."""
    frame = frame[(frame["phase"] == "final") & frame["optimizer"].isin(OPTIMIZERS)]
    table = numbers(frame, strengths)
    lead = leads(table)
    fig, axes = figure.subplots(2, 3, row_height=2.05)
    ordered = sorted(strengths, key=strengths.get)
    curves = []
    for ax, experiment in zip(axes[0], (ordered[0], ordered[len(ordered) // 2], ordered[-1]), strict=True):
        own = mean_curves.over_seeds(frame[frame["experiment"] == experiment], [MINORITY])
        curves.append(own.assign(experiment=experiment, panel="by step"))
        for name in style.in_order(own["optimizer"].unique()):
            curve = mean_curves.pick(own, name, *MINORITY).query("step > 0")
            style.band(ax, curve["step"], 100 * curve["mean"], 100 * curve["sd"], name)
        ax.set(title=f"Minority of {100 * (1 - strengths[experiment]):.2g} %", xlabel="step", ylim=(-3, 103))
    areas, equal, difference = axes[1]
    _by_share(areas, table, AREA)
    _by_share(equal, table, EQUAL)
    for number, filled in ((AREA, False), (EQUAL, True)):
        for name in style.in_order(lead["optimizer"].unique()):
            own = lead[(lead["optimizer"] == name) & (lead["number"] == number)]
            found, look = own.groupby("minority")["value"].mean().mul(100), style.of(name)
            drawn = {"linestyle": "-"} if filled else {"linestyle": ":", "markerfacecolor": "white"}
            difference.plot(found.index, found, color=look.colour, marker=look.marker, markersize=5, **drawn)
    difference.axhline(0, color="#888888", linewidth=0.7)
    for line, label in (("-", "equal training loss"), (":", "mean over training")):
        difference.plot([], [], color="black", linestyle=line, label=label)
    difference.legend(loc="best", handlelength=1.8)
    areas.set(title="Mean over training", ylabel="minority test accuracy (%)")
    equal.set(title="At equal training loss")
    difference.set(title="Muon's lead (points)")
    shares = sorted(table["minority"].unique())
    for ax in axes[1]:
        ax.set(xscale="log", xlabel="images in the minority (%)")
        ax.set_xticks(shares, [f"{share:g}" for share in shares])
        ax.minorticks_off()
        ax.invert_xaxis()
    axes[0, 0].set_ylabel("minority test accuracy (%)")
    figure.legend(fig, [*axes[0], areas])
    style.heading(fig, title)
    parts = [*curves, table.assign(panel="numbers"), lead.assign(panel="lead of muon over optimizer")]
    return fig, pd.concat(parts, ignore_index=True)


def at_equal(table: pd.DataFrame) -> pd.DataFrame:
    """Minority test accuracy in percent at equal training loss, means over seeds, by share of the minority."""
    chosen = table[table["number"] == EQUAL]
    found = chosen.pivot_table(index=["minority", "train_loss"], columns="optimizer", values="value", aggfunc="mean")
    return (100 * found).round(1).replace({np.nan: None})
