"""Closed forms and flows of the linear model on the population loss, for one mixture (Fig. 2).

* A curve of :data:`CURVES`, steps 0 .. n (``t``: ``step * lr``): metric ``alpha`` (groups ``class_c``: diagonal of
  ``U^T W V``) and metric ``loss`` (groups ``class_c``, ``minority``, ``balanced``, ``all``);
* curve ``target``, step 0: metric ``target`` (groups ``class_c``: the optimum ``r_c``);
* curves ``theorem1`` .. ``theorem4``, step 0: whether the theorem covers this mixture. Metric ``applies`` (group
  ``all``, 1 or 0); per condition (the group is its text) metrics ``value``, ``bound`` and ``met`` (1 or 0).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import field_validator

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.theory import bounds, flows, losses, trajectories
from muon_imbalance.theory.moments import Mixture, Moments, population_moments
from muon_imbalance.theory.options import MixtureSettings
from muon_imbalance.theory.tables.rows import frame, rows

Curve = Literal["gd", "ngd", "specgd", "gd_flow", "ngd_flow", "specgd_flow", "specgd_flow_slowed"]
CURVES: dict[Curve, Callable[[Moments, np.ndarray, float], np.ndarray]] = {
    "gd": lambda m, steps, lr: trajectories.gd(steps, m.s_xx, m.s_yx, lr),
    "ngd": lambda m, steps, lr: trajectories.ngd(len(steps) - 1, m.s_xx, m.s_yx, lr),
    "specgd": lambda m, steps, lr: trajectories.specgd(steps, m.r, lr),
    "gd_flow": lambda m, steps, lr: flows.gf(lr * steps, m.s_xx, m.s_yx),
    "ngd_flow": lambda m, steps, lr: flows.ngf(lr * steps, m.s_xx, m.s_yx),
    "specgd_flow": lambda m, steps, lr: flows.specgf(lr * steps, m.r),
    "specgd_flow_slowed": lambda m, steps, lr: flows.slowed_specgf(lr * steps, m.r),
}
"""Curve name -> alpha [steps + 1, k].

``specgd`` is the iterates, with their alternation around the targets; ``specgd_flow`` is Prop. 1 as worded (SpecGF at
``lr * step``); ``specgd_flow_slowed`` is SpecGF at speed 1/sqrt(k), the control of equal step length.
"""


class Options(Settings):
    """Closed forms and flows of the linear model on the population loss, for one mixture (Fig. 2)."""

    mixture: MixtureSettings = Field(description="data model")
    step: float = Field(gt=0, description="step size; with the curve gd below 2 / max(s_xx), where it converges")
    steps: int = Field(ge=1, le=100_000, description="number of steps")
    curves: list[Curve] = Field(min_length=1, description="what is evaluated")

    @field_validator("curves")
    @classmethod
    def _once(cls, curves: list[Curve]) -> list[Curve]:
        if repeated := [curve for curve in curves if curves.count(curve) > 1]:
            raise ValueError(f"{repeated[0]} is there more than once; allowed: each curve once")
        return curves


def table(options: Options, data: Path | None = None) -> pd.DataFrame:
    """The table, see the module's text.

    Raises:
        UserError: the curve ``gd`` diverges with this step size.
    """
    mixture, lr = Mixture.of(options.mixture), options.step
    moments, every = population_moments(mixture), np.arange(options.steps + 1)
    limit = trajectories.gd_step_limit(moments.s_xx)
    if "gd" in options.curves and lr >= limit:
        raise UserError(f"step = {lr}; allowed: below 2 / max(s_xx) = {limit:.6g}, where the curve gd converges")
    parts = [rows("target", "target", f"class_{c}", r) for c, r in enumerate(moments.r)]
    for curve in options.curves:
        alpha = CURVES[curve](moments, every, lr)
        by_metric = {
            "alpha": {f"class_{c}": alpha[:, c] for c in range(mixture.k)},
            "loss": losses.by_group(losses.class_losses(alpha, mixture), mixture),
        }
        for metric, groups in by_metric.items():
            parts += [rows(curve, metric, group, values, every, lr * every) for group, values in groups.items()]
    for theorem in bounds.THEOREMS:
        found = bounds.applies(theorem, mixture)
        parts.append(rows(theorem, "applies", "all", found.applies))
        for condition, measured in found.conditions.items():
            for metric, value in zip(("value", "bound", "met"), measured, strict=True):
                parts.append(rows(theorem, metric, condition, value))
    return frame(parts)
