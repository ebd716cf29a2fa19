"""Normalised margins of a linear classifier (F13)."""

import torch
from torch import Tensor

MARGIN_NORMS = {
    "margin_frobenius": lambda weight: torch.linalg.matrix_norm(weight),
    "margin_max": lambda weight: weight.abs().amax((1, 2)),
    "margin_spectral": lambda weight: torch.linalg.matrix_norm(weight, ord=2),
}
"""Metric -> norm of ``weight [S, classes, features]`` that the margin is divided by, ``[S]``."""


def margin(logits: Tensor, targets: Tensor) -> Tensor:
    """Smallest ``logit[y] - max_{c != y} logit[c]`` over samples, ``[S]`` (before the norm is divided out)."""
    right = logits.gather(2, targets.unsqueeze(2))
    rivals = logits.scatter(2, targets.unsqueeze(2), -torch.inf).amax(2, keepdim=True)
    return (right - rivals).amin((1, 2))
