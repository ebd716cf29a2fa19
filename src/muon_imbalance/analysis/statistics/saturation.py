"""When SpecGD fits each component of a linear model (Figs 5, s4; Props 1, 2, 4, Sec. 3.3).

``alpha_c`` are the diagonal entries of ``U^T W V``, ``r_c`` their targets, ``lr`` the step size. Times are those at
which the layers' entries, which grow by ``lr`` a step, meet ``r_c^(1/L)``.
"""

from typing import Literal

import numpy as np

from muon_imbalance.analysis.statistics import components
from muon_imbalance.analysis.statistics.evidence import Run, Unusable
from muon_imbalance.analysis.statistics.protocol import Measured, statistic
from muon_imbalance.theory import trajectories


def _arrivals(run: Run) -> np.ndarray:
    """Measured ``lr t`` at which SpecGD fits each component, ``[k]``."""
    steps, alpha = run.components("alpha")
    root = 1 / run.layers
    times = components.arrival_times(steps, np.maximum(alpha, 0) ** root, run.moments.r**root, run.lr)
    if not np.isfinite(times).all():
        raise Unusable("a component never reached its target")
    return run.lr * times


@statistic("run", "steps")
def saturation_error(run: Run) -> Measured:
    """Largest distance of a saturation time from ``r_c^(1/L) / lr`` (Props 1, 2, 4 for delta = inf), in steps."""
    expected = trajectories.saturation_time(run.moments.r, 1.0, run.layers)
    return Measured(float(np.max(np.abs(_arrivals(run) - expected))) / run.lr)


@statistic("run")
def saturation_gap(run: Run, *, kind: Literal["absolute", "relative", "relative_error"]) -> Measured:
    """Time between the saturation of the first and of the last component.

    absolute: ``lr (T_last - T_first)``; relative: ``(T_last - T_first) / T_first``; relative_error: its distance from
    the formula in the signal-to-noise ratio and the priors (Sec. 3.3).
    """
    times, p = _arrivals(run), run.mixture.p
    if kind == "absolute":
        return Measured(float(np.ptp(times)))
    relative = float(np.ptp(times) / times.min())
    if kind == "relative":
        return Measured(relative)
    formula = trajectories.relative_saturation_gap(run.mixture.snr, min(p), max(p), run.layers)
    return Measured(abs(relative - formula))


@statistic("pair")
def saturation_delay(a: Run, b: Run) -> Measured:
    """Smallest ``lr (T_c(a) - T_c(b))`` over components: above 0 if b fits every one of them sooner."""
    return Measured(float(np.min(_arrivals(a) - _arrivals(b))))
