"""When a curve gets somewhere."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from muon_imbalance.analysis.statistics import reductions
from muon_imbalance.analysis.statistics.curves import CurveOption, GateOption
from muon_imbalance.analysis.statistics.evidence import Run
from muon_imbalance.analysis.statistics.protocol import Measured, NoValue, Number, statistic


def _kind(options: Mapping[str, Any]) -> str:
    """A ratio of times, or what the option ``unit`` says."""
    return "ratio" if options["over"] else {"steps": "steps", "horizon": "training"}[options["unit"]]


@statistic("run", _kind)
def time_to(
    run: Run,
    *,
    of: CurveOption,
    level: Number,
    gate: GateOption | None = None,
    unit: Literal["steps", "horizon"] = "steps",
    after: GateOption | None = None,
    over: GateOption | None = None,
) -> Measured:
    """First step after 0 at which a curve is at least at a level (and the gate open); censored if it never gets there.

    In steps or as a share of the horizon; ``after``: counted from the step at which another curve reached its level;
    ``over``: divided by that step.
    """
    steps, values = of.of(run)
    step, censored = reductions.first_reach(steps, values, level, gate.open(run, steps) if gate else None)
    value = step / (steps[-1] if unit == "horizon" else 1)
    for other in filter(None, (after, over)):
        first, missed = reductions.first_reach(*other.curve.of(run), other.at_least)
        if missed:
            raise NoValue(f"{other.curve} never reached {other.at_least:g}")
        value = value - first if other is after else value / first
    return Measured(float(value), censored)


@statistic("pair", "training")
def catch_up(a: Run, b: Run, *, of: CurveOption) -> Measured:
    """When a falling curve of ``a`` gets down to the last value of ``b``'s, as a share of the horizon.

    If never: one record after the horizon, a lower bound, so that not getting there is more than being as late.
    """
    (steps, first), (_, second) = of.of(a), of.of(b)
    step = reductions.first_through(steps, first, float(second[-1]))
    never = math.isnan(step)
    return Measured(float(2 * steps[-1] - steps[-2] if never else step) / float(steps[-1]), never)
