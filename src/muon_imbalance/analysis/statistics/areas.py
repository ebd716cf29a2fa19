"""Means of a curve over training, each record standing for the steps since the one before."""

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.statistics.curves import CurveOption, GateOption, difference
from muon_imbalance.analysis.statistics.evidence import Run
from muon_imbalance.analysis.statistics.protocol import Measured, statistic
from muon_imbalance.analysis.statistics.windows import AFTER_START, WindowOption, parse


@statistic("run")
def area(run: Run, *, of: CurveOption, window: WindowOption = AFTER_START, gate: GateOption | None = None) -> Measured:
    """Mean of a curve over a window; with a gate it counts as 0 where the gate is closed."""
    steps, values = of.of(run)
    opened = gate.open(run, steps) if gate else None
    return Measured(reductions.mean(steps, values, window.shows(run, steps), opened))


@statistic("pair")
def early_excess(a: Run, b: Run, *, of: CurveOption) -> Measured:
    """``a - b``, its mean over the first half of training minus that over the second."""
    steps, values = difference(of.of(a), of.of(b), f"{of} of {a.optimizer} and {b.optimizer}")
    early, late = (reductions.mean(steps, values, parse(half).shows(a, steps)) for half in ("early", "late"))
    return Measured(early - late)
