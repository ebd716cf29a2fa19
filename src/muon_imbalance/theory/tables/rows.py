"""Rows of a theory table."""

from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ["curve", "t", "step", "group", "metric", "value"]


def rows(curve: Any, metric: str, group: Any, values: Any, steps: Any = 0, t: Any = 0.0) -> pd.DataFrame:
    """Rows of one curve; ``steps`` and ``t`` as long as ``values`` or one number for all."""
    values = np.atleast_1d(np.asarray(values, dtype=np.float64))
    columns = {"curve": curve, "t": t, "step": steps, "group": group, "metric": metric, "value": values}
    return pd.DataFrame(columns, columns=COLUMNS)


def frame(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of all parts, with the types of a theory table."""
    return pd.concat(parts, ignore_index=True).astype({"t": "float64", "step": "int64", "value": "float64"})
