"""What the figure of the organisms shows of a runs table: evenness on a second clock, confusion matrices at a step."""

import numpy as np
import pandas as pd

from muon_imbalance.analysis.statistics.directions import CLOCK
from muon_imbalance.analysis.statistics.reductions import value_at_level
from muon_imbalance.analysis.summaries import mean_curves
from muon_imbalance.data.tables import concepts
from muon_imbalance.data.tables.organisms import Table
from muon_imbalance.runs import frames


def evenness(frame: pd.DataFrame, optimizer: str, names: list[str], left: np.ndarray, metric: str = "component"):
    """Least over most learned direction when the excess loss has fallen to each share ``left [n]`` of its first value.

    Returns:
        Columns ``optimizer, loss_left, mean, sd, n``; ``n`` counts the seeds whose loss fell that far.
    """
    clock = frames.curves(frame, optimizer, CLOCK.metric, CLOCK.split, CLOCK.group)
    learned = [frames.curves(frame, optimizer, metric, "train", name) for name in names]
    rows = []
    for share in left:
        found = []
        for seed in clock:
            time = clock[seed].to_numpy()
            values = [value_at_level(curve[seed].to_numpy(), time, share * time[0]) for curve in learned]
            found.append(min(values) / max(values) if np.isfinite(values).all() else np.nan)
        rows.append((optimizer, share, *mean_curves.spread(found)))
    return pd.DataFrame(rows, columns=["optimizer", "loss_left", "mean", "sd", "n"])


def confusions(frame: pd.DataFrame, optimizer: str, table: Table, step: int) -> dict[str, np.ndarray]:
    """Examples by category named (rows) and answered (columns), ``[categories, categories]``, mean over seeds.

    ``answer``: an attribute is answered by its most probable organism; ``mass``: by each with its probability.
    """
    chosen = frame[(frame["optimizer"] == optimizer) & (frame["phase"] == "final") & (frame["step"] == step)]
    answers = chosen[chosen["metric"] == "answer"].pivot(index="seed", columns="group", values="value")
    places = answers[[f"attribute_{a}" for a in range(len(table.attributes))]].to_numpy(dtype=int)
    first = np.eye(len(table.organisms))[places].swapaxes(1, 2)  # [seeds, organisms, attributes]
    mass = chosen[chosen["metric"] == "mass"].groupby("group")["value"].mean()
    shares = np.array([[mass[f"{row}>{column}"] for column in table.categories] for row in table.categories])
    pairs = np.bincount(table.category, weights=table.has.sum(1))
    return {"answer": concepts.confusion(table, first).mean(0), "mass": shares * pairs[:, None]}
