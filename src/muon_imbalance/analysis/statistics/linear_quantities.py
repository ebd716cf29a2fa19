"""Statistics of linear models: distance from closed forms, saturation times, speeds (Figs 5, 10-13, s3, s4).

Part of the closed list of :mod:`muon_imbalance.analysis.statistics.quantities`. ``alpha_c`` are the diagonal entries of
``U^T W V``, ``r_c`` their targets, ``lr`` the step size; a run's depth and start are those of its variant.
"""

import math
from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics import components
from muon_imbalance.analysis.statistics.evidence import Curve, Run, Series, Unusable
from muon_imbalance.analysis.statistics.registry import Measured, register
from muon_imbalance.common.errors import UserError
from muon_imbalance.theory import losses, newton_schulz, trajectories
from muon_imbalance.theory.moments import Mixture

Form = Literal["gd", "specgd", "specgd_worded", "specgd_limit", "newton_schulz"]
Until = Literal["horizon", "first_saturation"]


def _depth(run: Run) -> tuple[int, float]:
    """Layers and ``delta`` (infinite: from zero) of a run."""
    model = run.details.get("model", {})
    layers = int(model.get("layers", 1))
    return layers, float(model.get("delta", math.inf)) if layers > 1 else math.inf


def closed_form(run: Run, form: Form, steps: np.ndarray) -> np.ndarray:
    """``alpha [T, k]`` of a closed form with the settings of a run.

    ``gd``: GD, exact for one layer, by its scalar recursion for several; ``specgd``: the iterates of SpecGD;
    ``specgd_worded``: Props 1, 3, 4 as worded, which stop at the target; ``specgd_limit``: the same for delta =
    inf (Prop. 2); ``newton_schulz``: as many iterations as the run made.
    """
    moments, (layers, delta) = run.moments, _depth(run)
    if form == "gd" and layers == 1:
        return trajectories.gd(steps, moments.s_xx, moments.s_yx, run.lr)
    if form == "gd":
        return trajectories.deep_gd(int(steps[-1]), moments.s_xx, moments.s_yx, run.lr, layers, delta)[steps]
    if form == "newton_schulz":
        if "ns_steps" not in run.details:
            raise UserError(f"{run.optimizer} has no hyperparameter ns_steps")
        number = int(run.details["ns_steps"])
        return newton_schulz.trajectory(int(steps[-1]), moments.s_xx, moments.s_yx, run.lr, number)[steps]
    delta = math.inf if form == "specgd_limit" else delta
    return trajectories.specgd(steps, moments.r, run.lr, layers, delta, exact=form == "specgd")


def _until(run: Run, closed: np.ndarray, until: Until) -> slice:
    """Records up to the first one at which a component of the closed form has reached its target."""
    arrived = (closed >= run.moments.r * (1 - 1e-12)).any(1)
    return slice(None, int(np.argmax(arrived)) + 1 if until == "first_saturation" and arrived.any() else None)


@register("run")
def distance_to_closed_form(
    run: Run,
    *,
    form: Form,
    until: Until = "horizon",
    of: Literal["product", "layer"] = "product",
    unit: Literal["one", "lr"] = "one",
) -> Measured:
    """Largest ``|alpha_c - closed form|`` (or of their roots, the entries of a layer), in units of 1 or of lr."""
    steps, alpha = run.components("alpha", "population")
    closed = closed_form(run, form, steps)
    kept = _until(run, closed, until)
    if of == "layer":
        alpha, closed = (np.maximum(values, 0) ** (1 / _depth(run)[0]) for values in (alpha, closed))
    return Measured(float(np.max(np.abs(alpha - closed)[kept])) / (run.lr if unit == "lr" else 1))


@register("run")
def relative_loss_error(run: Run, *, form: Form, group: Literal["minority", "balanced", "all"]) -> Measured:
    """Largest relative distance of a loss from its closed form (Eq. 7) at any record."""
    steps, loss = run.curve(Curve("loss", "population", group))
    moments = run.moments
    k = len(moments.p)
    mixture = Mixture(k, k, tuple(moments.p), moments.mu, moments.sigma2)
    closed = losses.by_group(losses.class_losses(closed_form(run, form, steps), mixture), mixture)[group]
    return Measured(float(np.max(np.abs(loss / closed - 1))))


# --- times -----------------------------------------------------------------------------------------------


def _arrivals(run: Run) -> np.ndarray:
    """Measured ``lr t`` at which SpecGD fits each component, ``[k]``."""
    steps, alpha = run.components("alpha", "population")
    root = 1 / _depth(run)[0]
    times = components.arrival_times(steps, np.maximum(alpha, 0) ** root, run.moments.r**root, run.lr)
    if not np.isfinite(times).all():
        raise Unusable("a component never reached its target")
    return run.lr * times


@register("run")
def saturation_error(run: Run) -> Measured:
    """Largest distance of a saturation time from ``r_c^(1/L) / lr`` (Props 1, 2, 4 for delta = inf), in steps."""
    expected = trajectories.saturation_time(run.moments.r, 1.0, _depth(run)[0])
    return Measured(float(np.max(np.abs(_arrivals(run) - expected))) / run.lr)


@register("run")
def absolute_gap(run: Run) -> Measured:
    """``lr (T_last - T_first)`` between the saturation of the first and of the last component."""
    return Measured(float(np.ptp(_arrivals(run))))


@register("run")
def relative_gap(run: Run) -> Measured:
    """``(T_last - T_first) / T_first``."""
    times = _arrivals(run)
    return Measured(float(np.ptp(times) / times.min()))


@register("run")
def relative_gap_error(run: Run) -> Measured:
    """Distance of :func:`relative_gap` from its formula in the signal-to-noise ratio and the priors (Sec. 3.3)."""
    moments = run.moments
    formula = trajectories.relative_saturation_gap(moments.snr, moments.p.min(), moments.p.max(), _depth(run)[0])
    return Measured(abs(relative_gap(run).value - formula))


@register("pair")
def saturation_delay(a: Run, b: Run) -> Measured:
    """Smallest ``lr (T_c(a) - T_c(b))`` over components: above 0 if b fits every one of them sooner."""
    return Measured(float(np.min(_arrivals(a) - _arrivals(b))))


@register("run")
def time_spread(run: Run, *, share: float, scale: Literal["one", "s_xx", "s_yx"] = "one") -> Measured:
    """Largest over smallest ``scale_c T_c``, with T_c the time to ``alpha_c = share r_c`` (interpolated)."""
    steps, alpha = run.components("alpha", "population")
    times = components.reach_times(steps, alpha, share * run.moments.r)
    scaled = times * (1.0 if scale == "one" else getattr(run.moments, scale))
    note = "" if np.isfinite(scaled).all() else f"a component never reached {share:g} of its target"
    return Measured(float(np.max(scaled) / np.min(scaled)), note=note)


# --- speeds and limits -----------------------------------------------------------------------------------


def _at_step(run: Run, at: float) -> np.ndarray:
    steps, alpha = run.components("alpha", "population")
    if at not in steps:
        raise UserError(f"{run.optimizer} has no record at step {at:g}")
    return alpha[int(np.argmax(steps == at))]


@register("run")
def speed_spread(run: Run, *, at: float) -> Measured:
    """Largest over smallest component at a step: 1 if all were learned at the same rate."""
    height = _at_step(run, at)
    return Measured(float(height.max() / height.min()))


@register("run")
def speed_lead(run: Run, *, component: float, at: float) -> Measured:
    """By what share a component (counted from 0) is ahead of the largest of the others at a step."""
    height, own = _at_step(run, at), int(component)
    return Measured(float(height[own] / np.delete(height, own).max() - 1))


@register("run")
def overshoot(run: Run, *, unit: Literal["one", "lr"] = "one") -> Measured:
    """Largest ``alpha_c - r_c`` at any record."""
    _, alpha = run.components("alpha", "population")
    return Measured(float(np.max(alpha - run.moments.r)) / (run.lr if unit == "lr" else 1))


@register("run")
def end_error(run: Run) -> Measured:
    """Largest ``|alpha_c - r_c|`` at the last record."""
    _, alpha = run.components("alpha", "population")
    return Measured(float(np.max(np.abs(alpha[-1] - run.moments.r))))


@register("pair")
def largest_difference(a: Run, b: Run, *, metric: str = "alpha", until: Until = "horizon") -> Measured:
    """Largest difference of a component at any record, to the end or to ``t* = min r_c / lr``."""
    (steps, first), (others, second) = (run.components(metric, "population") for run in (a, b))
    if not np.array_equal(steps, others):
        raise UserError(f"{a.optimizer} and {b.optimizer} are not recorded at the same steps")
    inside = steps <= (a.moments.r.min() / a.lr if until == "first_saturation" else steps[-1])
    return Measured(float(np.max(np.abs(first - second)[inside])))


@register("pair")
def gap_between(a: Run, b: Run, *, curve: Curve, start: float, stop: float) -> Series:
    """``a - b`` at every record from step ``start`` to step ``stop``."""
    (steps, first), (others, second) = a.curve(curve), b.curve(curve)
    inside = steps[(steps >= start) & (steps <= stop) & np.isin(steps, others)]
    if not len(inside):
        raise UserError(f"{curve} is not recorded between the steps {start:g} and {stop:g}")
    return inside, first[np.isin(steps, inside)] - second[np.isin(others, inside)]
