"""How much hangs on a selection: neighbours in the grid (Fig. 14), selections for each length (Fig. 8)."""

import math

import numpy as np

from muon_imbalance.analysis.statistics import epochwise, grids
from muon_imbalance.analysis.statistics.evidence import Experiment, Missing
from muon_imbalance.analysis.statistics.protocol import Measured, Number, statistic
from muon_imbalance.common.errors import UserError


@statistic("experiment", "ratio")
def neighbour_ratio(experiment: Experiment, *, optimizer: str, split: str = "validation") -> Measured:
    """Smallest gated area of a cell next to the selected one (one lr or momentum away), over the selected cell's."""
    found = grids.cells(experiment.table, optimizer, split)
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


@statistic("experiment")
def selected_gap_over_spread(
    experiment: Experiment, *, optimizer: str, other: str, group: str, after: Number = 0.5
) -> Measured:
    """Largest ``|mean_a - mean_b| / s`` over numbers of epochs above ``after`` times the largest; ``s`` is the larger
    of the two standard deviations over seeds (0 over 0 counts as 0).
    """
    if absent := sorted({optimizer, other} - set(experiment.table["optimizer"])):
        raise Missing(f"no runs of {absent[0]} on {experiment.name}")
    first, second = (epochwise.cached(experiment, name, group) for name in (optimizer, other))
    late = first.index > after * first.index.max()
    gap = (first.mean(axis=1) - second.mean(axis=1)).abs()[late].to_numpy(dtype=float)
    spread = np.maximum(first.std(axis=1, ddof=1), second.std(axis=1, ddof=1))[late].to_numpy(dtype=float)
    ratio = np.where(gap == 0, 0.0, np.divide(gap, spread, out=np.full_like(gap, math.inf), where=spread > 0))
    worst = int(np.argmax(ratio))
    value = float(ratio[worst]) if math.isfinite(ratio[worst]) else 1e6
    note = (
        f"at e = {first.index[late][worst]:g}: {100 * gap[worst]:.1f} points, {100 * spread[worst]:.1f} between seeds"
    )
    return Measured(value, note=note, count=first.shape[1])
