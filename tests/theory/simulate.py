"""Full matrices, against which every closed form is checked: bases, losses, iterations of GD, NGD, SignGD and SpecGD.

Plain NumPy in float64, any bases. ``L(W) = 1/2 E||y - W x||^2`` has gradient ``W Sigma_xx - Sigma_yx``; a
deep model is ``W = W_L ... W_1``.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from muon_imbalance.theory.moments import Mixture

Array = NDArray[np.float64]

CUTOFF = 1e-9
"""Singular values below this share of the largest count as zero.

Relative, because deep models start with gradients as small as e^-((L-1) delta): an absolute cut-off freezes
them.
"""

ROUNDING = 64 * np.finfo(np.float64).eps
"""A gradient below this share of the two terms it is the difference of is rounding noise: it has vanished."""


def random_orthogonal(n: int, rng: np.random.Generator) -> Array:
    """Orthogonal matrix [n, n] drawn from the Haar measure (QR of a Gaussian, signs of R moved to Q)."""
    q, triangle = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diagonal(triangle))


def in_eigenbasis(w: Array, u: Array, v: Array) -> Array:
    """``W_bar = U^T W V`` for ``w`` [..., k, d]; the diagonal is alpha, the rest is 0 in the eigenbasis."""
    return np.swapaxes(u, -1, -2) @ w @ v


def class_losses_of_matrix(w_bar: Array, mixture: Mixture) -> Array:
    """``L_c = 1/2 [||e_c - mu W_bar e_c||^2 + sigma2 ||W_bar||_F^2]`` for any ``W_bar = U^T W V``.

    Equals :func:`class_losses` of the diagonal when the rest is zero. Shapes: [..., k, d] to [..., k].
    """
    w_bar = np.asarray(w_bar, dtype=np.float64)
    residual = np.eye(mixture.k) - mixture.mu * w_bar[..., : mixture.k]
    noise = mixture.sigma2 * np.sum(w_bar**2, axis=(-2, -1))
    return 0.5 * (np.sum(residual**2, axis=-2) + noise[..., None])


def polar(g: Array, noise: float = 0.0) -> Array:
    """``U_k V_k^T`` of ``g = U S V^T`` [m, n] for singular values above ``CUTOFF * max(S)`` and ``noise``."""
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    keep = s > max(CUTOFF * s[0], noise)
    return u[:, keep] @ vt[keep]


def _gd(g: Array, noise: float) -> Array:
    return g


def _ngd(g: Array, noise: float) -> Array:
    size = np.linalg.norm(g)
    return g / size if size > noise else np.zeros_like(g)


def _signgd(g: Array, noise: float) -> Array:
    return np.where(np.abs(g) > noise, np.sign(g), 0.0)


RULES: dict[str, Callable[[Array, float], Array]] = {
    "gd": _gd,
    "ngd": _ngd,
    "signgd": _signgd,
    "specgd": polar,
}
"""Update direction of each rule from a gradient and the level of its rounding noise (Eq. 1, Table 1)."""


def linear(rule: str, sigma_xx: Array, sigma_yx: Array, lr: float, steps: int, start: Array | None = None) -> Array:
    """Iterates of ``W -= lr * direction(W Sigma_xx - Sigma_yx)``.

    Args:
        rule: "gd", "ngd", "signgd" or "specgd".
        sigma_xx: [d, d].
        sigma_yx: [k, d].
        start: [k, d], zero by default.
    Returns:
        [steps + 1, k, d].
    """
    direction, noise = RULES[rule], ROUNDING * np.linalg.norm(sigma_yx, 2)
    w = np.zeros((steps + 1, *sigma_yx.shape))
    if start is not None:
        w[0] = start
    for now in range(steps):
        w[now + 1] = w[now] - lr * direction(w[now] @ sigma_xx - sigma_yx, noise)
    return w


def matched_start(hidden: Sequence[int], u: Array, v: Array, delta: float, rng: np.random.Generator) -> list[Array]:
    """Start of Props 3 and 4: ``W_l = e^-delta Q_l [I] Q_(l-1)^T`` with ``Q_0 = V``, ``Q_L = U``.

    Args:
        hidden: widths of the hidden layers (random bases), each >= k; the paper takes k <= h <= d.
        u: [k, k].
        v: [d, d].
    Returns:
        [W_1, ..., W_L], ``W_1`` [hidden_1, d], ``W_L`` [k, hidden_(L-1)].
    """
    bases = [v, *(random_orthogonal(width, rng) for width in hidden), u]
    return [
        math.exp(-delta) * after @ np.eye(len(after), len(before)) @ before.T
        for before, after in zip(bases[:-1], bases[1:], strict=True)
    ]


def deep(rule: str, layers: Sequence[Array], sigma_xx: Array, sigma_yx: Array, lr: float, steps: int) -> Array:
    """Products ``W = W_L ... W_1`` while ``rule`` updates all layers at once, starting at ``layers``.

    Layer l has gradient ``(W_L ... W_(l+1))^T (W Sigma_xx - Sigma_yx) (W_(l-1) ... W_1)^T``.
    Returns [steps + 1, k, d].
    """
    direction, scale = RULES[rule], ROUNDING * np.linalg.norm(sigma_yx, 2)
    layers = [np.array(layer, dtype=np.float64) for layer in layers]
    products = np.empty((steps + 1, *sigma_yx.shape))
    for now in range(steps + 1):
        below, above = [np.eye(sigma_yx.shape[1])], [np.eye(sigma_yx.shape[0])]
        for layer in layers[:-1]:
            below.append(layer @ below[-1])
        for layer in reversed(layers[1:]):
            above.append(above[-1] @ layer)
        products[now] = layers[-1] @ below[-1]
        residual = products[now] @ sigma_xx - sigma_yx
        if now < steps:
            for index, (left, right) in enumerate(zip(reversed(above), below, strict=True)):
                noise = scale * np.linalg.norm(left, 2) * np.linalg.norm(right, 2)
                layers[index] = layers[index] - lr * direction(left.T @ residual @ right.T, noise)
    return products
