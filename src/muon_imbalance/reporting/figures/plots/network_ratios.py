"""The minority by epoch at several ratios of the imbalance, and Muon's lead (Figs 20, 21)."""

import pandas as pd
from matplotlib.figure import Figure

from muon_imbalance.analysis.summaries import mean_curves, network_summary
from muon_imbalance.reporting.figures import figure, style

OPTIMIZERS = ("nmd", "signum", "muon")
MINORITY = ("test", "minority", "accuracy")
CURVES = (("test", "majority", "accuracy"), MINORITY, ("train", "all", "loss"))


def curves(frame: pd.DataFrame) -> pd.DataFrame:
    """Curves of the final runs of :data:`OPTIMIZERS`, see :func:`network_summary.by_epoch`."""
    return network_summary.by_epoch(frame[frame["optimizer"].isin(OPTIMIZERS)], list(CURVES))


def ordered(panels: dict[str, str]) -> dict[str, str]:
    """Experiments and their names (which end with the ratio), from the smallest ratio on."""
    return dict(sorted(panels.items(), key=lambda entry: _ratio(entry[1])))


def leads(by_epoch: pd.DataFrame, panels: dict[str, str]) -> pd.DataFrame:
    """Muon's lead over the better of the two others, in the first half of training and at the end.

    Columns: ``experiment``, ``lead``, ``ratio``, ``when``.
    """
    minority = by_epoch[(by_epoch["group"] == "minority") & (by_epoch["epoch"] >= 1)]
    last = minority.groupby("experiment")["epoch"].transform("max")
    parts = {"first half": minority[minority["epoch"] <= last / 2], "at the end": minority[minority["epoch"] == last]}
    found = []
    for when, part in parts.items():
        level = part.pivot_table(index="experiment", columns="optimizer", values="mean").reindex(columns=OPTIMIZERS)
        lead = level["muon"] - level.drop(columns="muon").max(axis=1)
        ratio = lead.index.map(lambda name: _ratio(panels[name]))
        found.append(lead.rename("lead").reset_index().assign(ratio=ratio, when=when))
    return pd.concat(found, ignore_index=True).sort_values("ratio")


def draw(by_epoch: pd.DataFrame, lead: pd.DataFrame, panels: dict[str, str], title: str) -> tuple[Figure, pd.DataFrame]:
    """A panel for each ratio and one for the lead; and what is drawn, as a table."""
    fig, axes = figure.subplots(1, len(panels) + 1, row_height=2.0)
    for ax, (experiment, name) in zip(axes[0], panels.items(), strict=False):
        own = by_epoch[by_epoch["experiment"] == experiment]
        for optimizer in style.in_order(by_epoch["optimizer"].unique()):
            curve = mean_curves.pick(own, optimizer, *MINORITY).query("step > 0")
            style.band(ax, curve["epoch"], 100 * curve["mean"], 100 * curve["sd"], optimizer)
        seeds = mean_curves.pick(own, "muon", *MINORITY)["n"].max()
        ax.set(title=f"{name}\n{seeds} seed{'' if seeds == 1 else 's'}", xlabel="epoch", ylim=(0, None))
    for when, colour, marker in (("first half", "#666666", "^"), ("at the end", "#1a1a1a", "o")):
        part = lead[lead["when"] == when]
        axes[0, -1].plot(part["ratio"], 100 * part["lead"], color=colour, marker=marker, label=f"Muon's lead, {when}")
    axes[0, -1].axhline(0, color="#888888", linewidth=0.7)
    axes[0, -1].set(title="Muon's lead\n(points)", xlabel="ratio R")
    axes[0, 0].set_ylabel("test accuracy, minority (%)")
    figure.legend(fig, axes)
    style.heading(fig, title)
    return fig, pd.concat([by_epoch.assign(panel="by epoch"), lead.assign(panel="lead")], ignore_index=True)


def _ratio(name: str) -> float:
    return float(name.rpartition("= ")[2])
