"""What became of the minority in each run: over all of training, at its end, at equal training loss."""

import numpy as np
import pandas as pd

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.runs import frames

MAJORITY, MINORITY, LOSS = (
    ("test", "majority", "accuracy"),
    ("test", "minority", "accuracy"),
    ("train", "all", "loss"),
)
AREA, END, EQUAL = "area", "end", "equal training loss"


def numbers(frame: pd.DataFrame, gate: float | None = None) -> tuple[pd.DataFrame, float]:
    """Minority test accuracy of the final runs of one experiment, and the training loss that all of them reach.

    ``area`` is its mean over training (0 where the majority's is below ``gate``), ``end`` its last value, and ``equal
    training loss`` its value when the training loss first falls to the furthest level that all runs reach.

    Returns:
        Columns ``optimizer, seed, number, value``; diverged runs are left out.
    """
    runs = {}
    final = frame[(frame["phase"] == "final")]
    for name in final["optimizer"].unique():
        curves = [
            frames.curves(final, name, metric, split, group) for split, group, metric in (MINORITY, MAJORITY, LOSS)
        ]
        for seed in curves[0].columns:
            steps = curves[0].index.to_numpy()
            values = [curve[seed].reindex(steps).to_numpy() for curve in curves]
            if np.isfinite(values).all():
                runs[name, seed] = steps, *values
    level = max(loss[np.argmax(loss) :].min() for *_, loss in runs.values())
    rows = []
    for (name, seed), (steps, low, high, loss) in runs.items():
        area = reductions.gated_area(steps, low, np.ones_like(high) if gate is None else high, gate or 0.0)
        found = {AREA: area, END: low[-1], EQUAL: reductions.value_at_level(low, loss, level)}
        rows += [(name, seed, number, value) for number, value in found.items()]
    return pd.DataFrame(rows, columns=["optimizer", "seed", "number", "value"]), float(level)


def leads(table: pd.DataFrame, first: str) -> pd.DataFrame:
    """``first`` minus each other optimizer, seed by seed: columns ``optimizer, seed, number, value``."""
    wide = table.pivot(index=["seed", "number"], columns="optimizer", values="value")
    if first not in wide:
        return pd.DataFrame(columns=["optimizer", "seed", "number", "value"])
    found = wide.drop(columns=first).rsub(wide[first], axis=0)
    return found.stack().rename("value").reset_index()
