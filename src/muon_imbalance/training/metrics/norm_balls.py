"""Where weights lie in the balls of norms, and the terms of the KKT condition there (second paper).

With decoupled weight decay ``lambda`` an optimizer whose updates lie in a norm's unit ball minimises ``L(W)`` subject
to ``||W|| <= 1 / lambda``, layer by layer. With ``G`` the gradient and ``||.||*`` the dual norm, ``W`` is a KKT point
where ``||G||* + lambda <W, G> = 0``; elsewhere in the ball this is positive (``lambda`` times the Frank-Wolfe gap).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.protocol import as_matrix, is_matrix
from muon_imbalance.training.task import Key, Tensors

RANK = 2
"""The k of Ky Fan's norm."""
Size = Callable[[Tensor, Tensor], Tensor]
BALLS: dict[str, tuple[Size, Size]] = {
    "ball_frobenius": (lambda x, s: s.square().sum(-1).sqrt(), lambda x, s: s.square().sum(-1).sqrt()),
    "ball_ky_fan": (lambda x, s: torch.maximum(s[..., 0], s.sum(-1) / RANK), lambda x, s: s[..., :RANK].sum(-1)),
    "ball_max": (lambda x, s: x.abs().amax((-2, -1)), lambda x, s: x.abs().sum((-2, -1))),
    "ball_spectral": (lambda x, s: s[..., 0], lambda x, s: s.sum(-1)),
}
"""Metrics of an experiment: the norm and the dual norm of ``x [S, m, n]`` with singular values ``s``."""


def measure(params: Tensors, grads: Tensors, metrics: set[str], split: str) -> dict[Key, Tensor]:
    """Terms of each weight matrix, groups ``layer_0``, ``layer_1`` ..., each ``[S]``, in float64.

    For every ball among ``metrics`` ``weight_norm_<ball>``, ``||W||``, and ``grad_dual_<ball>``, ``||G||*``; then
    ``weight_gradient``, ``<W, G>``, and ``aspect``, rows over columns (on which Muon's step length depends).
    """
    values: dict[Key, Tensor] = {}
    asked = sorted(metrics & set(BALLS))
    weights = [name for name, param in params.items() if is_matrix(param)] if asked else []
    for number, name in enumerate(weights):
        weight, grad = (as_matrix(tensors[name]).double() for tensors in (params, grads))
        spectra = [torch.linalg.svdvals(matrix) for matrix in (weight, grad)]
        rows, columns = weight.shape[1:]
        found = {
            "weight_gradient": (weight * grad).sum((1, 2)),
            "aspect": weight.new_full((len(weight),), rows / columns),
        }
        for ball in asked:
            (norm, dual), short = BALLS[ball], ball.removeprefix("ball_")
            found |= {f"weight_norm_{short}": norm(weight, spectra[0]), f"grad_dual_{short}": dual(grad, spectra[1])}
        values |= {(split, f"layer_{number}", metric): value for metric, value in found.items()}
    return values
