"""Decoupled weight decay as a norm constraint (second paper; Lion-K). NumPy only.

    W_{t+1} = (1 - lr_t lambda) W_t - lr_t O_t,   ||O_t|| <= c

With ``K`` the dual norm and ``O_t`` in its subdifferential at the gradient (or a momentum), this minimises ``L(W)``
subject to ``||W|| <= 1 / lambda``. Whatever the loss, by the triangle inequality,

    lambda ||W_t|| / c - 1 <= (lambda ||W_0|| / c - 1) * product over s < t of (1 - lr_s lambda).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def shrinkage(lr: Array, weight_decay: float) -> Array:
    """``product over s < t of (1 - lr_s lambda)`` for ``t = 0 .. T``, ``[T + 1]``; ``lr [T]`` are the step sizes."""
    return np.concatenate([[1.0], np.cumprod(1 - lr * weight_decay)])


def excess(positions: Array, left: Array) -> Array:
    """By how much ``lambda ||W_t|| / c - 1`` exceeds its bound, ``[T, layers]``: at most 0.

    Args:
        positions: ``lambda ||W_t|| / c [T, layers]``, the first row at the start.
        left: ``shrinkage`` at the same steps, ``[T]``.
    """
    return positions - 1 - left[:, None] * (positions[0] - 1)


def kkt_residual(dual: Array, inner: Array, weight_decay: float) -> Array:
    """``| ||G||* + lambda <W, G> | / ||G||*``: 0 exactly at KKT points, 1 at ``W = 0``.

    ``dual`` is ``||G||*`` and ``inner`` is ``<W, G>``, any equal shapes; where the gradient is zero it is 0 too.
    """
    size = np.where(dual > 0, dual, 1.0)
    return np.abs(dual + weight_decay * inner) / size
