"""Discrete trajectories under Condition 1 (Eq. 2, Props 1-4), as closed forms or scalar recursions.

Every method here keeps ``W_bar = U^T W V`` diagonal, so a trajectory is an array [..., k] of its k entries.
``s_xx``, ``s_yx`` and ``r = s_yx / s_xx`` have shape [k]; ``t`` counts steps (any shape [...]), ``lr`` is the
step size. Deep models are ``W = W_L ... W_1`` with all layers starting at ``e^-delta`` in matched bases (App.
B.5, B.6); ``delta = inf`` is the limit that the paper states.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def _components(*arrays: ArrayLike) -> list[Array]:
    """1-D float64 arrays of positive numbers. Raises ValueError."""
    found = [np.atleast_1d(np.asarray(array, dtype=np.float64)) for array in arrays]
    for array in found:
        if array.ndim != 1 or not np.all(array > 0):
            raise ValueError(f"components must be positive and of shape [k], got {array!r}")
    return found


def gd_step_limit(s_xx: ArrayLike) -> float:
    """Largest step size below which GD converges: ``2 / max(s_xx)``."""
    return 2.0 / float(np.max(s_xx))


def gd(t: ArrayLike, s_xx: ArrayLike, s_yx: ArrayLike, lr: float) -> Array:
    """GD from zero: ``r_c (1 - (1 - lr s_xx_c)^t)``, exact for every ``lr`` (App. B.2). Returns [..., k]."""
    s_xx, s_yx = _components(s_xx, s_yx)
    t = np.asarray(t)[..., None]
    return s_yx / s_xx * (1 - (1 - lr * s_xx) ** t)


def ngd(steps: int, s_xx: ArrayLike, s_yx: ArrayLike, lr: float) -> Array:
    """NGD from zero: ``alpha += lr g / ||g||_2`` with ``g_c = s_yx_c - s_xx_c alpha_c``.

    A recursion on the diagonal: it follows GD's path up to O(lr) and ends in an oscillation of size O(lr).
    Returns [steps + 1, k].
    """
    s_xx, s_yx = _components(s_xx, s_yx)
    alpha = np.zeros((steps + 1, len(s_xx)))
    for now in range(steps):
        g = s_yx - s_xx * alpha[now]
        size = np.linalg.norm(g)
        alpha[now + 1] = alpha[now] + (lr / size * g if size > 0 else 0.0)
    return alpha


def specgd(t: ArrayLike, r: ArrayLike, lr: float, depth: int = 1, delta: float = math.inf, exact: bool = True) -> Array:
    """SpecGD, entries of the product ``W_bar``: ``a_c^depth`` with ``a_c = e^-delta + lr t`` until ``r_c^(1/depth)``.

    ``depth=1`` from zero is Prop. 1 (``min(lr t, r_c)``), ``depth=2`` Props 2 and 3, any depth Prop. 4.

    The propositions then hold a layer's entry at its target. That is exact only if ``(target - e^-delta) / lr`` is
    an integer; otherwise the entry alternates for ever between the two grid points around its target, each
    less than ``lr`` away. Once one entry alternates, rounding is amplified in a run with full matrices
    and can mix it with the others; every run tested stayed within ``lr`` of the targets.

    Args:
        t: [...] steps; whole numbers if ``exact``.
        exact: the iterates; if False the propositions as worded, ``a_c = min(e^-delta + lr t, target)``.
    Returns:
        [..., k].
    Raises:
        ValueError: a start at or above a target, or fractional steps with ``exact``.
    """
    (r,) = _components(r)
    t = np.asarray(t, dtype=np.float64)[..., None]
    start, target = math.exp(-delta), r ** (1.0 / depth)
    if np.any(start >= target):
        raise ValueError(f"e^-delta = {start} must lie below every r^(1/depth) = {target}")
    if not exact:
        return np.minimum(start + lr * t, target) ** depth
    if np.any(t != np.rint(t)):
        raise ValueError("exact iterates exist at whole steps only")
    length = (target - start) / lr
    whole = np.abs(length - np.rint(length)) <= 1e-9 * np.maximum(1.0, length)
    turn = np.where(whole, np.rint(length), np.ceil(length))
    back = ~whole & (t > turn) & ((t - turn) % 2 == 1)
    return (start + lr * (np.minimum(t, turn) - back)) ** depth


def saturation_time(r: ArrayLike, lr: float = 1.0, depth: int = 1, delta: float = math.inf) -> Array:
    """Steps until SpecGD fits each component: ``(r_c^(1/depth) - e^-delta) / lr`` (Props 1, 3, 4). Shape [k].

    For delta = inf depth shortens it only where ``r_c > 1``, that is never for ``mu >= 1``.
    """
    (r,) = _components(r)
    return (r ** (1.0 / depth) - math.exp(-delta)) / lr


def relative_saturation_gap(snr: float, p_minority: float, p_majority: float, depth: int = 1) -> float:
    """``(T_M - T_m) / T_m = ((SNR + 1/p_m) / (SNR + 1/p_M))^(1/depth) - 1`` for delta = inf (Sec. 3.3).

    It falls with depth for every mixture; the absolute gap ``T_M - T_m`` need not.
    """
    return ((snr + 1 / p_minority) / (snr + 1 / p_majority)) ** (1.0 / depth) - 1


def deep_gd(steps: int, s_xx: ArrayLike, s_yx: ArrayLike, lr: float, depth: int, delta: float) -> Array:
    """GD on ``depth`` layers: ``a += lr a^(depth-1) (s_yx - s_xx a^depth)`` from ``e^-delta``.

    A scalar recursion for a layer's entries, exact under Condition 1. Returns the product's, ``a^depth``
    [steps + 1, k].
    """
    s_xx, s_yx = _components(s_xx, s_yx)
    layer = np.full((steps + 1, len(s_xx)), math.exp(-delta))
    for now in range(steps):
        a = layer[now]
        layer[now + 1] = a + lr * a ** (depth - 1) * (s_yx - s_xx * a**depth)
    return layer**depth


def bilinear_gf(t: ArrayLike, s_xx: ArrayLike, s_yx: ArrayLike, delta: float) -> Array:
    """Gradient flow on two layers (Saxe et al. 2013, Gidel et al. 2019): entries of the product.

    ``b_c = s_yx e^(2 s_yx t) / (s_xx (e^(2 s_yx t) - 1) + s_yx e^(2 delta))`` at flow time ``t = lr * step``
    [...]. Returns [..., k].
    """
    s_xx, s_yx = _components(s_xx, s_yx)
    decay = np.exp(-2 * s_yx * np.asarray(t, dtype=np.float64)[..., None])
    return s_yx / (s_xx * (1 - decay) + s_yx * np.exp(2 * delta) * decay)


def gf_time(s_xx: ArrayLike, eps: float) -> Array:
    """Flow time until GF has fitted each component up to ``eps r_c``: ``ln(1/eps) / s_xx_c``. Shape [k]."""
    (s_xx,) = _components(s_xx)
    return math.log(1 / eps) / s_xx


def bilinear_gf_time(s_xx: ArrayLike, s_yx: ArrayLike, delta: float, eps: float) -> Array:
    """Flow time until :func:`bilinear_gf` has fitted each component up to ``eps r_c``. Shape [k].

    ``ln((1 - eps) (r_c e^(2 delta) - 1) / eps) / (2 s_yx_c)``; for large ``delta`` and small ``eps`` close to
    ``(delta + ln(1/eps)/2 + ln(r_c)/2) / s_yx_c``: stage-wise in ``s_yx``.
    """
    s_xx, s_yx = _components(s_xx, s_yx)
    return np.log((1 - eps) * (s_yx / s_xx * math.exp(2 * delta) - 1) / eps) / (2 * s_yx)
