"""Newton-Schulz iterations in place of the polar factor: how fast each component of the linear model is learned.

The quintic acts on every singular value by itself, ``f(s) = a s + b s^3 + c s^5``, and keeps the singular vectors. The
update ``W -= lr NS_n(G)`` (Muon without momentum) therefore keeps ``W_bar`` diagonal and moves component c by
``lr f^n(g_c / (||g|| + eps))``, where SpecGD moves it by ``lr sign(g_c)``. Source: App. A, Keller Jordan's Muon.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
EPS = 1e-7
"""Added to the Frobenius norm that the gradient is divided by."""


def scalar_map(s: ArrayLike, iterations: int) -> Array:
    """``f^n(s)``: what ``iterations`` make of singular values ``s`` [...], each at most 1. Odd in s."""
    a, b, c = COEFFICIENTS
    s = np.asarray(s, dtype=np.float64)
    for _ in range(iterations):
        s = s * (a + s**2 * (b + c * s**2))
    return s


def speeds(g: ArrayLike, iterations: int) -> Array:
    """Step of each component, in units of ``lr``, at a gradient with the entries ``g`` [..., k] (SpecGD: 1)."""
    g = np.asarray(g, dtype=np.float64)
    return scalar_map(g / (np.linalg.norm(g, axis=-1, keepdims=True) + EPS), iterations)


def trajectory(steps: int, s_xx: ArrayLike, s_yx: ArrayLike, lr: float, iterations: int) -> Array:
    """Components from zero: ``alpha_c += lr f^n(g_c / (||g|| + eps))``, ``g_c = s_yx_c - s_xx_c alpha_c``.

    A recursion on the diagonal, equal to the matrix iteration up to rounding until a component reaches its target
    (from then on rounding is amplified). Returns [steps + 1, k].
    """
    s_xx, s_yx = (np.atleast_1d(np.asarray(s, dtype=np.float64)) for s in (s_xx, s_yx))
    alpha = np.zeros((steps + 1, len(s_xx)))
    for now in range(steps):
        alpha[now + 1] = alpha[now] + lr * speeds(s_yx - s_xx * alpha[now], iterations)
    return alpha
