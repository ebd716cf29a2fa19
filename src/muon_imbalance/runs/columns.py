"""Columns of tidy tables; neither pandas nor pyarrow is imported here."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

TEXT, INTEGER, REAL, TRUTH = "text", "integer", "real", "truth value"

COLUMNS = {
    "experiment": TEXT,
    "optimizer": TEXT,
    "phase": TEXT,
    "run": INTEGER,
    "seed": INTEGER,
    "lr": TEXT,
    "momentum": TEXT,
    "hyper": TEXT,
    "epoch": REAL,
    "step": INTEGER,
    "split": TEXT,
    "group": TEXT,
    "metric": TEXT,
    "value": REAL,
    "diverged": TRUTH,
}
THEORY_COLUMNS = {"curve": TEXT, "t": REAL, "step": INTEGER, "group": TEXT, "metric": TEXT, "value": REAL}
UNITS = {
    "accuracy": ("accuracy", "top5", "decoded", "exact_match", "ceiling_share"),
    "nats": ("loss", "excess_loss", "logit_kl"),
}
"""Kind of quantity -> the metrics that are one; other metrics have no unit."""
ALLOWED = {
    "phase": ("grid", "final"),
    "split": ("train", "validation", "test", "population"),
}


def variants(frame: "pd.DataFrame") -> "pd.Series":
    """Variant of the experiment that each row belongs to (a key of its column ``hyper``), "" without."""
    names = {text: json.loads(text).get("variant", "") for text in frame["hyper"].unique()}
    return frame["hyper"].map(names)


def unit(metric: str) -> str:
    """Kind of quantity of a metric, a key of ``UNITS``, or "" without one."""
    return next((kind for kind, metrics in UNITS.items() if metric in metrics), "")
