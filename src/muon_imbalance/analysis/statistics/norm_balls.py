"""Statistics of decoupled weight decay as a norm constraint (fig_s5, second paper).

A run's ``lambda`` is its weight decay,
its step sizes are those of its schedule; ``c`` bounds the norm of an update, with Muon's shape factor where
``scale`` says so.
"""

from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics.evidence import Run
from muon_imbalance.analysis.statistics.protocol import Measured, Number, statistic
from muon_imbalance.analysis.statistics.windows import ALL, WindowOption
from muon_imbalance.common import schedules
from muon_imbalance.common.errors import UserError
from muon_imbalance.theory import constraints

Ball = Literal["frobenius", "ky_fan", "max", "spectral"]
Scale = Literal["none", "original"]


def _layers(run: Run, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """``steps [T], values [T, layers]`` of a metric of the weight matrices."""
    names = sorted(name for name in run.rows if name.metric == metric and name.group.startswith("layer_"))
    if not names:
        raise UserError(f"{run.optimizer} on {run.experiment.name} has no {metric} of its layers")
    series = [run.curve(name) for name in names]
    return series[0][0], np.stack([values for _, values in series], axis=1)


def weight_decay(run: Run) -> float:
    """The run's ``lambda``; none, or zero, is a :class:`UserError`."""
    if not run.details.get("weight_decay"):
        raise UserError(f"{run.optimizer} on {run.experiment.name} has no weight decay, so no ball")
    return float(run.details["weight_decay"])


def _shrinkage(run: Run, steps: np.ndarray) -> np.ndarray:
    """What decay alone leaves of a weight at ``steps [T]``: the product of ``1 - lr_s lambda`` over ``s < t``."""
    settings = run.experiment.described
    total, schedule = settings["steps"], settings.get("schedule", "constant")
    lr = [run.lr * schedules.factor(schedule, step, total) for step in range(total)]
    return constraints.shrinkage(np.array(lr), weight_decay(run))[steps]


def _positions(run: Run, ball: Ball, c: Number, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """``steps [T]`` and ``lambda ||W|| / c [T, layers]``: at most 1 inside the ball."""
    steps, norms = _layers(run, f"weight_norm_{ball}")
    factor = np.sqrt(np.maximum(1, _layers(run, "aspect")[1])) if scale == "original" else 1.0
    return steps, weight_decay(run) * norms / (c * factor)


@statistic("run")
def bound_excess(run: Run, *, ball: Ball, c: Number = 1.0, scale: Scale = "none") -> Measured:
    """Largest amount by which ``lambda ||W_t|| / c - 1`` exceeds its bound, at any record and layer.

    The bound is the value at the start times what decay alone leaves of it.
    """
    steps, positions = _positions(run, ball, c, scale)
    return Measured(float(np.max(constraints.excess(positions, _shrinkage(run, steps)))))


@statistic("run")
def ball_position(
    run: Run,
    *,
    ball: Ball,
    window: WindowOption,
    of: Literal["largest", "smallest"] = "largest",
    c: Number = 1.0,
    scale: Scale = "none",
) -> Measured:
    """``lambda ||W|| / c`` in a window, at the record and of the layer where it is largest or smallest."""
    steps, positions = _positions(run, ball, c, scale)
    values = positions[window.shows(run, steps)]
    return Measured(float(values.max() if of == "largest" else values.min()))


@statistic("run")
def kkt_residual(run: Run, *, ball: Ball, at: Literal["start", "end", "end_over_start"]) -> Measured:
    """``| ||G||* + lambda <W, G> | / ||G||*``, both summed over layers, at the first or last record, or their ratio."""
    (_, dual), (_, inner) = _layers(run, f"grad_dual_{ball}"), _layers(run, "weight_gradient")
    residual = constraints.kkt_residual(dual.sum(1), inner.sum(1), weight_decay(run))
    found = {"start": residual[0], "end": residual[-1], "end_over_start": residual[-1] / residual[0]}
    return Measured(float(found[at]))


@statistic("run")
def largest_norm(run: Run, *, ball: Ball, window: WindowOption = ALL) -> Measured:
    """Largest ``||W||`` over the layers and the records of a window."""
    steps, values = _layers(run, f"weight_norm_{ball}")
    return Measured(float(values[window.shows(run, steps)].max()))
