"""Statistics of the shape of one curve, part of the closed list of :mod:`.quantities`."""

import math

import numpy as np

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.statistics.evidence import Curve, Run
from muon_imbalance.analysis.statistics.registry import Measured, register
from muon_imbalance.common.errors import UserError


@register("run")
def peak_over_first(run: Run, *, curve: Curve) -> Measured:
    """Largest value of a curve divided by its first: how far it rises."""
    values = run.curve(curve)[1]
    return Measured(float(np.max(values) / values[0]))


@register("run")
def last_over_peak(run: Run, *, curve: Curve) -> Measured:
    """Last value of a curve divided by its largest: how far it has fallen again."""
    values = run.curve(curve)[1]
    return Measured(float(values[-1] / np.max(values)))


@register("run")
def fraction_at_fraction(run: Run, *, curve: Curve, clock: Curve, share: float) -> Measured:
    """A curve's value over its first one when the clock falls through ``share`` of its own first value.

    That makes losses over different numbers of classes comparable; the clock counts after its peak.
    """
    (steps, values), (times, clocks) = run.curve(curve), run.curve(clock)
    if not np.array_equal(steps, times):
        raise UserError(f"{curve} and {clock} are not recorded at the same steps")
    value = reductions.value_at_level(values / values[0], clocks / clocks[0], share)
    return Measured(value, note="" if math.isfinite(value) else f"{clock} never fell to {share:g} of its first value")
