"""What the table modules share: rows of a theory table, and checked options."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from muon_imbalance.common.errors import UserError
from muon_imbalance.theory.moments import Mixture, step, uniform, zipf

COLUMNS = ["curve", "t", "step", "group", "metric", "value"]


def rows(curve: Any, metric: str, group: Any, values: Any, steps: Any = 0, t: Any = 0.0) -> pd.DataFrame:
    """Rows of one curve; ``steps`` and ``t`` as long as ``values`` or one number for all."""
    values = np.atleast_1d(np.asarray(values, dtype=np.float64))
    columns = {"curve": curve, "t": t, "step": steps, "group": group, "metric": metric, "value": values}
    return pd.DataFrame(columns, columns=COLUMNS)


def frame(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of all parts, with the types of a theory table."""
    return pd.concat(parts, ignore_index=True).astype({"t": "float64", "step": "int64", "value": "float64"})


def whole(key: str, value: Any, low: int, high: float = math.inf) -> int:
    """A whole number in a range. Raises :class:`UserError`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        text = f"from {low}" if high == math.inf else f"from {low} to {high}"
        raise UserError(f"{key} is {value!r}; allowed: a whole number {text}")
    return value


def mixtures(given: Any) -> dict[str, Mixture]:
    """Named mixtures of an option; ``p`` may be ``uniform``, ``zipf`` or ``{step: R}``. Raises UserError."""
    if not isinstance(given, Mapping) or not given:
        raise UserError(f"mixtures is {given!r}; allowed: a mapping of names to mixtures")
    return {str(name): Mixture.from_config(_with_prior(mixture)) for name, mixture in given.items()}


def _with_prior(mixture: Any) -> Any:
    """The mixture with a prior that is given by name written out."""
    if not isinstance(mixture, Mapping) or "p" not in mixture:
        return mixture
    prior, k = mixture["p"], mixture.get("k")
    if isinstance(prior, str | Mapping):
        named = {"uniform": uniform, "zipf": zipf}.get(prior) if isinstance(prior, str) else None
        stepped = isinstance(prior, Mapping) and set(prior) == {"step"}
        if named is None and not stepped:
            raise UserError(f"mixture.p is {prior!r}; allowed: uniform, zipf, {{step: R}} or a list of probabilities")
        k = whole("mixture.k", k, 2)
        return {**mixture, "p": (named(k) if named else step(k, prior["step"])).tolist()}
    return mixture
