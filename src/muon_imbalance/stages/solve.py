"""Stage: closed forms and flows of the linear model on the population loss, as a theory table.

``python -m muon_imbalance.stages.solve --name NAME --config JSON [--data FOLDER] --output FILE.parquet`` with the
config ``{"table": NAME, ...}`` of a module of :mod:`muon_imbalance.theory.tables`, or (Fig. 2) with
``{"mixture": {"k", "d", "p", "mu", "sigma2"}, "step": lr, "steps": n, "curves": [...]}``.

The latter's table has the columns curve, t (``step * lr``), step, group, metric, value:

* a curve of :data:`CURVES`, steps 0 .. n: metric ``alpha`` (groups ``class_c``: diagonal of ``U^T W V``) and
  metric ``loss`` (groups ``class_c``, ``minority``, ``balanced``, ``all``);
* curve ``target``, step 0: metric ``target`` (groups ``class_c``: the optimum ``r_c``);
* curves ``theorem1`` .. ``theorem4``, step 0: whether the theorem covers this mixture. Metric ``applies``
  (group ``all``, 1 or 0); per condition (the group is its text) metrics ``value``, ``bound`` and ``met`` (1
  or 0).
"""

import argparse
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.theory import bounds, flows, losses, tables, trajectories
from muon_imbalance.theory.moments import Mixture, Moments, population_moments
from muon_imbalance.theory.options import take
from muon_imbalance.theory.tables.rows import frame, rows

KEYS = ("mixture", "step", "steps", "curves")
MOST_STEPS = 100_000

CURVES: dict[str, Callable[[Moments, np.ndarray, float], np.ndarray]] = {
    "gd": lambda m, steps, lr: trajectories.gd(steps, m.s_xx, m.s_yx, lr),
    "ngd": lambda m, steps, lr: trajectories.ngd(len(steps) - 1, m.s_xx, m.s_yx, lr),
    "specgd": lambda m, steps, lr: trajectories.specgd(steps, m.r, lr),
    "gd_flow": lambda m, steps, lr: flows.gf(lr * steps, m.s_xx, m.s_yx),
    "ngd_flow": lambda m, steps, lr: flows.ngf(lr * steps, m.s_xx, m.s_yx),
    "specgd_flow": lambda m, steps, lr: flows.specgf(lr * steps, m.r),
    "specgd_flow_slowed": lambda m, steps, lr: flows.slowed_specgf(lr * steps, m.r),
}
"""Curve name -> alpha [steps + 1, k].

``specgd`` is the iterates, with their alternation around the targets; ``specgd_flow`` is Prop. 1 as worded
(SpecGF at ``lr * step``); ``specgd_flow_slowed`` is SpecGF at speed 1/sqrt(k), the control of equal step
length.
"""


def check(config: Any) -> tuple[Mixture, float, int, list[str]]:
    """Mixture, step size, number of steps and curves of a config. Raises :class:`UserError`."""
    take(config, KEYS, named="the config is")
    mixture = Mixture.from_config(config["mixture"])
    lr, steps, curves = config["step"], config["steps"], config["curves"]
    if isinstance(lr, bool) or not isinstance(lr, int | float) or not (math.isfinite(lr) and lr > 0):
        raise UserError(f"step is {lr!r}; allowed: a number > 0 (step size)")
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise UserError(f"steps is {steps!r}; allowed: an integer from 1 to {MOST_STEPS}")
    if not isinstance(curves, list) or not curves:
        raise UserError(f"curves is {curves!r}; allowed: a list of one or more of {', '.join(CURVES)}")
    for curve in curves:
        if curve not in list(CURVES):
            raise UserError(f"curves names {curve!r}; allowed: {', '.join(CURVES)}")
        if curves.count(curve) > 1:
            raise UserError(f"curves names {curve!r} more than once; allowed: each curve once")
    limit = trajectories.gd_step_limit(population_moments(mixture).s_xx)
    if "gd" in curves and lr >= limit:
        raise UserError(f"step is {lr}; allowed: below 2 / max(s_xx) = {limit:.6g}, where the curve gd converges")
    return mixture, float(lr), steps, curves


def table(config: Any, data: Path | None = None) -> pd.DataFrame:
    """The theory table of a config (see the module's text). Raises :class:`UserError`.

    Args:
        data: folder of the data set that a named table reads, if it reads one.
    """
    if isinstance(config, Mapping) and "table" in config:
        options = {key: value for key, value in config.items() if key != "table"}
        return tables.load(config["table"]).table(options, data)
    mixture, lr, steps, curves = check(config)
    moments = population_moments(mixture)
    every = np.arange(steps + 1)
    parts = [rows("target", "target", f"class_{c}", r) for c, r in enumerate(moments.r)]
    for curve in curves:
        alpha = CURVES[curve](moments, every, lr)
        by_metric = {
            "alpha": {f"class_{c}": alpha[:, c] for c in range(mixture.k)},
            "loss": losses.by_group(losses.class_losses(alpha, mixture), mixture),
        }
        for metric, groups in by_metric.items():
            parts += [rows(curve, metric, group, values, every, lr * every) for group, values in groups.items()]
    for theorem, applies in bounds.THEOREMS.items():
        found = applies(mixture)
        parts.append(rows(theorem, "applies", "all", found.applies))
        for condition, measured in found.conditions.items():
            for metric, value in zip(("value", "bound", "met"), measured, strict=True):
                parts.append(rows(theorem, metric, condition, value))
    return frame(parts)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, solve, and write the table (complete or not at all)."""
    parser = argparse.ArgumentParser(description="Write closed forms of the linear model as a theory table.")
    parser.add_argument("--name", required=True, help="name of the table, for messages")
    parser.add_argument("--config", required=True, help="JSON: mixture, step, steps, curves; or table and its options")
    parser.add_argument("--data", type=Path, help="folder of the data set that the table reads")
    parser.add_argument("--output", required=True, type=Path, help="the .parquet file to write")
    given = parser.parse_args(arguments)
    try:
        made = table(json.loads(given.config), given.data)
    except json.JSONDecodeError as error:
        raise UserError(f"{given.name}: --config is not JSON ({error})") from error
    except UserError as error:
        raise UserError(f"{given.name}: {error}") from error
    given.output.parent.mkdir(parents=True, exist_ok=True)
    partial = given.output.with_name(f".{given.output.name}.{os.getpid()}.partial")
    try:
        made.to_parquet(partial, index=False)
        os.replace(partial, given.output)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    run_stage(main)
