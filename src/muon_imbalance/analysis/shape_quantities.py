"""Statistics of the shape of one curve; part of the closed list of :mod:`muon_imbalance.analysis.quantities`."""

import numpy as np

from muon_imbalance.analysis.evidence import Curve, Run
from muon_imbalance.analysis.registry import Measured, register


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
