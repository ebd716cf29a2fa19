"""Distance of a linear model's components from what theory says (Figs 2, 5, 10-13, s3).

``alpha_c`` are the diagonal entries of ``U^T W V``, ``r_c`` their targets, ``lr`` the step size; a run's depth and
start are those of its variant.
"""

import math
from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics import components
from muon_imbalance.analysis.statistics.curves import at_steps
from muon_imbalance.analysis.statistics.evidence import Recorded, Run
from muon_imbalance.analysis.statistics.protocol import Measured, statistic
from muon_imbalance.common.errors import UserError
from muon_imbalance.theory import losses, newton_schulz, trajectories

Form = Literal[
    "gd", "specgd", "specgd_worded", "specgd_limit", "newton_schulz", "equal_rate", "gd_table", "specgd_table"
]
Unit = Literal["one", "lr"]


def closed_form(run: Run, form: Form, steps: np.ndarray) -> np.ndarray:
    """``alpha [T, k]`` of a closed form with the settings of a run.

    ``gd``: GD, exact for one layer, by its scalar recursion for several; ``specgd``: the iterates of SpecGD;
    ``specgd_worded``: Props 1, 3, 4 as worded, which stop at the target; ``specgd_limit``: the same for delta =
    inf (Prop. 2); ``newton_schulz``: as many iterations as the run made; ``equal_rate``: ``lr t`` for all components;
    ``gd_table``, ``specgd_table``: those that the experiment's theory table holds.
    """
    moments, layers, delta = run.moments, run.layers, run.delta
    if form.endswith("_table"):
        name = form.removesuffix("_table")
        return at_steps(run.experiment.closed_form(name, "alpha"), steps, f"closed form {name}")
    if form == "equal_rate":
        return np.broadcast_to(run.lr * steps[:, None], (len(steps), len(moments.r)))
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


@statistic("run")
def distance_to_closed_form(
    run: Run,
    *,
    form: Form,
    until: Literal["horizon", "first_arrival", "each_target"] = "horizon",
    of: Literal["product", "layer"] = "product",
    unit: Unit = "one",
) -> Measured:
    """Largest ``|alpha_c - closed form|`` (or of their roots, the entries of a layer), in units of 1 or of lr.

    ``until`` first_arrival: up to the first record at which a component of the closed form has reached its target;
    each_target: for each component while its closed form is not past its target (Prop. 1).
    """
    steps, alpha = run.components("alpha")
    closed, targets = closed_form(run, form, steps), run.moments.r
    kept = np.ones(alpha.shape, dtype=bool)
    if until == "each_target":
        kept = closed <= targets * (1 + 1e-9)
    elif until == "first_arrival" and (arrived := (closed >= targets * (1 - 1e-12)).any(1)).any():
        kept[int(np.argmax(arrived)) + 1 :] = False
    if of == "layer":
        alpha, closed = (np.maximum(values, 0) ** (1 / run.layers) for values in (alpha, closed))
    return Measured(float(np.max(np.abs(alpha - closed)[kept])) / (run.lr if unit == "lr" else 1))


@statistic("run")
def relative_loss_error(run: Run, *, form: Form, group: Literal["minority", "balanced", "all"]) -> Measured:
    """Largest relative distance of a loss from its closed form (Eq. 7) at any record."""
    steps, loss = run.curve(Recorded("loss", "population", group))
    closed = losses.by_group(losses.class_losses(closed_form(run, form, steps), run.mixture), run.mixture)[group]
    return Measured(float(np.max(np.abs(loss / closed - 1))))


@statistic("run")
def distance_to_gd_path(run: Run) -> Measured:
    """Largest distance from the gradient-flow path before the optimum is near, in step sizes."""
    return Measured(components.distance_to_gd_path(run.components("alpha")[1], run.moments, run.lr))
