"""Population losses of the linear model under (DM), squared loss with the factor 1/2 (Eq. 3, Eq. 7).

Arrays of class losses have shape [..., k]; leading axes (time, bases) pass through.
"""

import numpy as np
from numpy.typing import NDArray

from muon_imbalance.theory.moments import Mixture

Array = NDArray[np.float64]


def class_losses(alpha: Array, mixture: Mixture) -> Array:
    """``L_c = 1/2 [(1 - mu alpha_c)^2 + sigma2 sum_j alpha_j^2]`` (Eq. 7) for a diagonal ``W_bar``.

    Args:
        alpha: [..., k] diagonal entries of ``U^T W V``.
    Returns:
        [..., k].
    """
    alpha = np.asarray(alpha, dtype=np.float64)
    noise = mixture.sigma2 * np.sum(alpha**2, axis=-1, keepdims=True)
    return 0.5 * ((1 - mixture.mu * alpha) ** 2 + noise)


def balanced(losses: Array) -> Array:
    """Class-balanced loss ``(1/k) sum_c L_c`` of [..., k]: the mean, not the sum."""
    return np.mean(losses, axis=-1)


def total(losses: Array, mixture: Mixture) -> Array:
    """Population loss ``sum_c p_c L_c`` of [..., k]."""
    return np.asarray(losses) @ np.asarray(mixture.p)


def minority(losses: Array, mixture: Mixture) -> Array:
    """Loss of the least likely class m of [..., k]."""
    return np.asarray(losses)[..., mixture.minority]


def by_group(losses: Array, mixture: Mixture) -> dict[str, Array]:
    """Losses [...] by the group names of the results: ``class_0`` .., ``minority``, ``balanced``, ``all``."""
    groups = {f"class_{c}": losses[..., c] for c in range(mixture.k)}
    return groups | {
        "minority": minority(losses, mixture),
        "balanced": balanced(losses),
        "all": total(losses, mixture),
    }
