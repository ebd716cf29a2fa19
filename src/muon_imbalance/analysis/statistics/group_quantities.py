"""Statistics of two groups' accuracies, part of the closed list of :mod:`.quantities`."""

import math

import numpy as np

from muon_imbalance.analysis.statistics import grids, reductions
from muon_imbalance.analysis.statistics.evidence import Curve, Experiment, Missing, Run
from muon_imbalance.analysis.statistics.registry import Gate, Measured, register
from muon_imbalance.common.errors import UserError


def _gated(run: Run, curve: Curve, gate: Gate, until: float) -> float:
    (steps, values), (gated, height) = run.curve(curve), run.curve(gate.curve)
    if not np.array_equal(steps, gated):
        raise UserError(f"{gate.curve} is not recorded at the steps of {curve}")
    return reductions.gated_area(steps, values, height, gate.at_least, until)


@register("pair")
def gated_area_ratio(a: Run, b: Run, *, curve: Curve, gate: Gate, until: float = 1.0) -> Measured:
    """Gated area of ``a`` over that of ``b`` (see gated_area); no value where that of ``b`` is 0."""
    below = _gated(b, curve, gate, until)
    value = _gated(a, curve, gate, until) / below if below > 0 else math.nan
    return Measured(value, note="" if below > 0 else f"the area of {b.optimizer} is 0")


@register("run")
def reach_delay(
    run: Run, *, late: Curve, late_level: float, early: Curve, early_level: float, gate: Gate | None = None
) -> Measured:
    """Steps from ``early`` at its level to ``late`` at its level (gate open); censored with ``late``."""
    steps, values = run.curve(late)
    open_ = None if gate is None else run.curve(gate.curve)[1] >= gate.at_least - reductions.ROUNDING
    step, censored = reductions.first_reach(steps, values, late_level, open_)
    first, missed = reductions.first_reach(*run.curve(early), early_level)
    if missed:
        return Measured(math.nan, note=f"{early} never reached {early_level:g}")
    return Measured(float(step - first), censored)


@register("run")
def largest_group_gap(run: Run, *, curve: Curve, other: Curve, after: float = 0.0) -> Measured:
    """Largest absolute difference of two curves of one run after ``after * horizon``."""
    (steps, first), (there, second) = run.curve(curve), run.curve(other)
    if not np.array_equal(steps, there):
        raise UserError(f"{other} is not recorded at the steps of {curve}")
    kept = steps > after * steps[-1] * (1 + 1e-9)
    return Measured(float(np.max(np.abs(first - second)[kept])))


@register("setting")
def neighbour_ratio(experiment: Experiment, *, optimizer: str, split: str = "validation") -> Measured:
    """Smallest gated area of a cell next to the selected one (one lr or momentum away), over the selected cell's."""
    if experiment.frame is None:
        raise Missing(f"experiment {experiment.name} was not run")
    found = grids.cells(experiment.frame, optimizer, split)
    if found is None:
        raise Missing(f"no grid of {optimizer} on {experiment.name}")
    selected, area = found
    if area.empty:
        raise UserError(f"{experiment.name}: no accuracies of a majority and a minority on {split}")
    if not area[selected] > 0:
        raise Missing(f"the selected cell of {optimizer} (lr, momentum {selected[:2]}) has no gated area")
    ratios = grids.neighbour_ratios(selected, area).fillna(0.0)  # a cell that diverged is worth nothing
    lr, momentum, _ = ratios.idxmin()
    note = f"at lr {lr}, momentum {momentum}; selected: lr {selected[0]}, momentum {selected[1]}"
    return Measured(float(ratios.min()), note=note, count=len(ratios))
