"""Statistics of decoupled weight decay as a norm constraint (fig_s5, second paper).

Part of the closed list of :mod:`muon_imbalance.analysis.statistics.quantities`. A run's ``lambda`` is its weight decay,
its step sizes are those of its schedule; ``c`` bounds the norm of an update, with Muon's shape factor where
``scale`` says so.
"""

from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics.evidence import Missing, Run
from muon_imbalance.analysis.statistics.registry import Measured, register
from muon_imbalance.common import schedules
from muon_imbalance.common.errors import UserError
from muon_imbalance.theory import constraints

Ball = Literal["frobenius", "ky_fan", "max", "spectral"]
Scale = Literal["none", "original"]
Moment = Literal["start", "end"]
MOMENTS = {"start": 0, "end": -1}


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
    settings = run.experiment.settings
    if settings is None:
        raise Missing(f"the settings of experiment {run.experiment.name} were not given")
    total, schedule = settings["steps"], settings.get("schedule", "constant")
    lr = [run.lr * schedules.factor(schedule, step, total) for step in range(total)]
    return constraints.shrinkage(np.array(lr), weight_decay(run))[steps]


def _positions(run: Run, ball: Ball, c: float, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """``steps [T]`` and ``lambda ||W|| / c [T, layers]``: at most 1 inside the ball."""
    steps, norms = _layers(run, f"weight_norm_{ball}")
    factor = np.sqrt(np.maximum(1, _layers(run, "aspect")[1])) if scale == "original" else 1.0
    return steps, weight_decay(run) * norms / (c * factor)


@register("run")
def bound_excess(run: Run, *, ball: Ball, c: float = 1.0, scale: Scale = "none") -> Measured:
    """Largest amount by which ``lambda ||W_t|| / c - 1`` exceeds its bound, at any record and layer.

    The bound is the value at the start times what decay alone leaves of it.
    """
    steps, positions = _positions(run, ball, c, scale)
    return Measured(float(np.max(constraints.excess(positions, _shrinkage(run, steps)))))


@register("run")
def ball_position(
    run: Run,
    *,
    ball: Ball,
    at: Moment,
    of: Literal["largest", "smallest"] = "largest",
    c: float = 1.0,
    scale: Scale = "none",
) -> Measured:
    """``lambda ||W|| / c`` at the first or last record, of the layer where it is largest or smallest."""
    values = _positions(run, ball, c, scale)[1][MOMENTS[at]]
    return Measured(float(values.max() if of == "largest" else values.min()))


@register("run")
def kkt_residual(run: Run, *, ball: Ball, at: Literal["start", "end", "end_over_start"]) -> Measured:
    """``| ||G||* + lambda <W, G> | / ||G||*``, both summed over layers, at the first or last record, or their ratio."""
    (_, dual), (_, inner) = _layers(run, f"grad_dual_{ball}"), _layers(run, "weight_gradient")
    residual = constraints.kkt_residual(dual.sum(1), inner.sum(1), weight_decay(run))
    return Measured(float(residual[-1] / residual[0] if at == "end_over_start" else residual[MOMENTS[at]]))


@register("run")
def largest_norm(run: Run, *, ball: Ball, at: Literal["any", "start", "end"] = "any") -> Measured:
    """Largest ``||W||`` over layers, at any record, the first or the last."""
    values = _layers(run, f"weight_norm_{ball}")[1]
    return Measured(float((values if at == "any" else values[MOMENTS[at]]).max()))
