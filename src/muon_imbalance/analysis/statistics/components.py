"""What is measured on component curves. NumPy only.

Components ``alpha [T, k]`` are the diagonal of ``U^T W_t V`` at the recorded ``steps [T]``, ordered by class
index; ``r [k]`` are their targets, ``lr`` is the step size.
"""

import numpy as np

from muon_imbalance.theory.moments import Moments

Array = np.ndarray


def distance_to_gd_path(alpha: Array, moments: Moments, lr: float) -> float:
    """Largest distance of ``alpha`` from the gradient-flow path while away from the optimum, in step sizes.

    Each point is compared with ``r_c (1 - exp(-s_xx_c tau))`` at the ``tau`` that gives the same first
    component (the end of the path if that component is past its target). Only points before the first one
    within ``2 lr`` of the optimum count: nearer than that a step of fixed length overshoots.
    """
    r, rate = moments.r, moments.s_xx
    away = np.cumprod(np.linalg.norm(alpha - r, axis=1) > 2 * lr).astype(bool)
    point = alpha[away]
    tau = -np.log1p(-np.minimum(point[:, 0] / r[0], 1 - 1e-15)) / rate[0]
    path = -r * np.expm1(-np.outer(tau, rate))
    return float(np.max(np.linalg.norm(point - path, axis=1)) / lr)


def reach_times(steps: Array, alpha: Array, levels: Array) -> Array:
    """Time at which each component reaches its level, interpolated between records, ``[k]``; NaN if it does not."""
    times = np.full(alpha.shape[1], np.nan)
    for c, level in enumerate(levels):
        at = int(np.argmax(alpha[:, c] >= level))
        if alpha[at, c] >= level:
            before, after = alpha[max(at - 1, 0), c], alpha[at, c]
            share = (level - before) / (after - before) if after > before else 1.0
            times[c] = steps[max(at - 1, 0)] + share * (steps[at] - steps[max(at - 1, 0)])
    return times


def arrival_times(steps: Array, layer: Array, targets: Array, lr: float) -> Array:
    """Steps until components ``layer [T, k]`` that grow by ``lr`` a step meet their targets, ``[k]``; else NaN.

    The last record more than a step below the target is continued at that rate: from then on an iterate moves in
    steps of fixed length around the target.
    """
    near = layer >= targets - lr
    last = np.argmax(near, axis=0) - 1
    found = near.any(0) & (last >= 0)
    height = layer[last, np.arange(len(targets))]
    return np.where(found, steps[last] + (targets - height) / lr, np.nan)
