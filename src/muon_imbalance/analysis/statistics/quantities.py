"""The closed list of statistics that claim files may name; keyword arguments are their options.

Each reads one run, a pair of runs of one seed, or the settings, and leaves the arithmetic to ``statistics``
and ``components``.
"""

import math
from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics import (
    components,
    concept_quantities,  # noqa: F401 (its statistics join the list)
    constraint_quantities,  # noqa: F401
    epochwise_quantities,  # noqa: F401
    group_quantities,  # noqa: F401
    language_quantities,  # noqa: F401
    linear_quantities,  # noqa: F401
    network_quantities,  # noqa: F401
    reductions,
    shape_quantities,  # noqa: F401
    table_quantities,  # noqa: F401
)
from muon_imbalance.analysis.statistics.evidence import Curve, Experiment, Run, Series
from muon_imbalance.analysis.statistics.registry import STATISTICS, Gate, Measured, Statistic, register
from muon_imbalance.common.errors import UserError


def _open(run: Run, gate: Gate | None, steps: np.ndarray) -> np.ndarray | None:
    """Where the gate is open, at ``steps``."""
    if gate is None:
        return None
    return _at(run.curve(gate.curve), steps, str(gate.curve)) >= gate.at_least - reductions.ROUNDING


def _at(series: Series, steps: np.ndarray, name: str) -> np.ndarray:
    """Values of a series at ``steps``, all of which it must have."""
    position = np.searchsorted(series[0], steps)
    if not len(steps) or len(series[0]) <= position.max() or (series[0][position] != steps).any():
        raise UserError(f"{name} is not recorded at the steps it is compared at")
    return series[1][position]


# --- one run ---------------------------------------------------------------------------------------------


@register("run")
def gated_area(run: Run, *, curve: Curve, gate: Gate, until: float = 1.0) -> Measured:
    """Mean of a curve over ``0 < t <= until * horizon``, counted as 0 where the gate is closed."""
    steps, values = run.curve(curve)
    height = _at(run.curve(gate.curve), steps, str(gate.curve))
    return Measured(reductions.gated_area(steps, values, height, gate.at_least, until))


@register("run")
def first_reach(
    run: Run,
    *,
    curve: Curve,
    level: float,
    gate: Gate | None = None,
    unit: Literal["steps", "horizon"] = "steps",
) -> Measured:
    """First step after 0 with ``curve >= level`` (gate open), in steps or as a share of the horizon."""
    steps, values = run.curve(curve)
    step, censored = reductions.first_reach(steps, values, level, _open(run, gate, steps))
    return Measured(step / (steps[-1] if unit == "horizon" else 1), censored)


@register("run")
def reach_ratio(
    run: Run, *, late: Curve, late_level: float, early: Curve, early_level: float, gate: Gate | None = None
) -> Measured:
    """Steps of ``late`` to its level (gate open) over those of ``early``; censored with ``late``."""
    steps, values = run.curve(late)
    step, censored = reductions.first_reach(steps, values, late_level, _open(run, gate, steps))
    first, missed = reductions.first_reach(*run.curve(early), early_level)
    if missed:
        return Measured(math.nan, note=f"{early} never reached {early_level:g}")
    return Measured(step / first, censored)


@register("run")
def value_at_level(run: Run, *, curve: Curve, clock: Curve, level: float) -> Measured:
    """A curve's value when the clock first falls through a level after its peak."""
    steps, values = run.curve(curve)
    times = run.curve(clock)
    shared = np.intersect1d(steps, times[0])
    value = reductions.value_at_level(_at((steps, values), shared, str(curve)), _at(times, shared, str(clock)), level)
    return Measured(value, note="" if math.isfinite(value) else f"{clock} never fell through {level:g}")


@register("run")
def final(run: Run, *, curve: Curve) -> Measured:
    """Last value of a curve."""
    return Measured(float(run.curve(curve)[1][-1]))


@register("run")
def final_fraction(run: Run, *, curve: Curve) -> Measured:
    """Last value of a curve divided by its first."""
    values = run.curve(curve)[1]
    return Measured(float(values[-1] / values[0]))


@register("run")
def final_over_maximum(run: Run, *, curve: Curve) -> Measured:
    """Last value of a curve divided by its largest."""
    values = run.curve(curve)[1]
    largest = float(np.max(values))
    return Measured(float(values[-1]) / largest if largest else math.nan, note="" if largest else f"{curve} is 0")


@register("run")
def maximum(run: Run, *, curve: Curve) -> Measured:
    """Largest value of a curve."""
    return Measured(float(np.max(run.curve(curve)[1])))


@register("run")
def maximum_until(run: Run, *, curve: Curve, step: float) -> Measured:
    """Largest value of a curve up to a step."""
    steps, values = run.curve(curve)
    return Measured(float(np.max(values[steps <= step])))


@register("run")
def step_of_maximum(run: Run, *, curve: Curve) -> Measured:
    """First recorded step at which a curve has its largest value."""
    steps, values = run.curve(curve)
    return Measured(float(steps[np.argmax(values)]))


# --- components of one run (population experiment) -------------------------------------------------------


@register("run")
def equal_rate_error(run: Run, *, metric: str = "alpha", split: str = "population") -> Measured:
    """Prop. 1: largest ``|alpha_c - lr t| / lr`` until each component saturates."""
    return Measured(components.equal_rate_error(*run.components(metric, split), run.moments.r, run.lr))


@register("run")
def component_gap(run: Run, *, metric: str = "alpha", split: str = "population") -> Measured:
    """Smallest ``alpha_c - alpha_{c+1}`` after step 0."""
    return Measured(components.component_gap(*run.components(metric, split)))


@register("run")
def reach_order(run: Run, *, share: float, metric: str = "alpha", split: str = "population") -> Measured:
    """Smallest delay between consecutive components reaching a share of their targets, in steps."""
    value = components.reach_order(*run.components(metric, split), run.moments.r, share)
    return Measured(value, note="" if math.isfinite(value) else f"a component never reached {share:g} of its target")


@register("run")
def distance_to_gd_path(run: Run, *, metric: str = "alpha", split: str = "population") -> Measured:
    """Largest distance from the gradient-flow path before the optimum is near, in step sizes."""
    return Measured(components.distance_to_gd_path(run.components(metric, split)[1], run.moments, run.lr))


@register("run")
def distance_to_theory(
    run: Run,
    *,
    closed_form: str,
    unit: Literal["one", "lr"] = "one",
    metric: str = "alpha",
    split: str = "population",
) -> Measured:
    """Largest distance of a component from a closed form at any record, in units of 1 or of the step size."""
    steps, alpha = run.components(metric, split)
    theory = _at(run.experiment.closed_form(closed_form, metric), steps, f"closed form {closed_form}")
    return Measured(float(np.max(np.abs(alpha - theory))) / (run.lr if unit == "lr" else 1))


# --- two runs of one seed --------------------------------------------------------------------------------


@register("pair")
def gap(a: Run, b: Run, *, curve: Curve, until: Literal["horizon", "first_saturation"] = "horizon") -> Series:
    """``a - b`` at every record after step 0, to the end or to ``t* = min r_c / lr`` (Theorems 1, 2)."""
    steps, first = a.curve(curve)
    stop = steps[-1] if until == "horizon" else a.moments.r.min() / a.lr
    inside = steps[reductions.window(steps, stop)]
    return inside, _at((steps, first), inside, str(curve)) - _at(b.curve(curve), inside, str(curve))


@register("pair")
def end_distance(a: Run, b: Run, *, metric: str = "alpha", split: str = "population") -> Measured:
    """Largest difference of a component at the end, in step sizes of ``a``."""
    first, second = (run.components(metric, split)[1][-1] for run in (a, b))
    return Measured(float(np.max(np.abs(first - second))) / a.lr)


# --- settings alone --------------------------------------------------------------------------------------


@register("setting")
def rarity_excess(experiment: Experiment) -> Measured:
    """Minority prior minus the largest one that Theorems 1 and 2 admit, ``1 / (5 SNR + 6 k)``."""
    moments = experiment.moments
    rarest, bound, k = float(moments.p.min()), moments.rarity_bound, len(moments.p)
    note = f"minority prior {rarest:g}, SNR {moments.snr:g}, k = {k}: allowed is at most {bound:.3g}"
    return Measured(rarest - bound, note=note)


def named(name: str) -> Statistic:
    """The statistic of this name; an unknown one is a :class:`UserError` that lists the allowed ones."""
    if name not in STATISTICS:
        raise UserError(f"statistic {name!r} is unknown; allowed: {', '.join(sorted(STATISTICS))}")
    return STATISTICS[name]
