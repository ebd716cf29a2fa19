"""How nearly a pair of moment matrices satisfies Condition 1 (Sec. 3.2, App. C; Gidel et al. 2019).

Condition 1 requires ``Sigma_yx = U S_yx V^T`` and ``Sigma_xx = V S_xx V^T`` with the same V. The relaxed form
is ``Sigma_xx = V (S_xx + B) V^T`` with an off-diagonal ``B``, ``||B|| << ||S_xx||``.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

RANK = 1e-10
"""Singular values of Sigma_yx below this share of the largest count as zero."""


def sample_moments(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """``Sigma_xx = E[x x^T]`` [d, d] and ``Sigma_yx = E[y x^T]`` [k, d] of inputs [n, d] and targets [n, k]."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return x.T @ x / len(x), y.T @ x / len(x)


def centred(moments: tuple[Array, Array], x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """The moments of ``x - E x`` and ``y - E y``, from those of x and y."""
    x_mean, y_mean = np.mean(x, axis=0), np.mean(y, axis=0)
    return moments[0] - np.outer(x_mean, x_mean), moments[1] - np.outer(y_mean, x_mean)


def in_right_basis(sigma_xx: Array, sigma_yx: Array) -> Array:
    """``V^T Sigma_xx V`` [d, d] = ``S_xx + B`` for the right singular vectors V of Sigma_yx.

    The singular vectors of the zero singular values are free; the ones taken diagonalise Sigma_xx among
    themselves, so that B is zero there and as small as Condition 1 allows.
    """
    _, s, vt = np.linalg.svd(sigma_yx, full_matrices=True)
    rank = int((s > RANK * s[0]).sum())
    rest = vt[rank:].T
    if rest.shape[1]:
        _, turn = np.linalg.eigh(rest.T @ sigma_xx @ rest)
        rest = rest @ turn[:, ::-1]
    v = np.concatenate([vt[:rank].T, rest], axis=1)
    return v.T @ sigma_xx @ v


def off_diagonal_ratio(sigma_xx: Array, sigma_yx: Array) -> dict[str, float]:
    """``||B|| / ||S_xx||`` in the spectral and in the Frobenius norm, without the basis of :func:`in_right_basis`.

    With ``A [r, r]`` the block of the r singular directions and ``C [d - r, r]`` the one below, ``C = Q R``, the
    eigenvalues of ``B = [[A - diag A, C^T], [C, 0]]`` other than 0 are those of ``[[A - diag A, R^T], [R, 0]]``; the
    free part of ``S_xx`` is the spectrum of ``P Sigma_xx P``, P the projection that removes the r directions.
    """
    _, s, vt = np.linalg.svd(sigma_yx, full_matrices=False)
    v = vt[s > RANK * s[0]].T
    image = sigma_xx @ v
    head = v.T @ image
    below = image - v @ head
    triangle = np.linalg.qr(below, mode="r")
    off = head - np.diag(np.diagonal(head))
    free = sigma_xx - v @ image.T - below @ v.T
    arrow = np.block([[off, triangle.T], [triangle, np.zeros((len(triangle), len(triangle)))]])
    largest = max(np.abs(np.diagonal(head)).max(), np.abs(np.linalg.eigvalsh(free)).max())
    return {
        "spectral": float(np.abs(np.linalg.eigvalsh(arrow)).max() / largest),
        "frobenius": float(np.linalg.norm(arrow) / np.hypot(np.linalg.norm(np.diagonal(head)), np.linalg.norm(free))),
    }
