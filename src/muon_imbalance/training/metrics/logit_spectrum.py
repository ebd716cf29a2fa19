"""How evenly the spectrum of the logits is filled (App. D.10, F14)."""

import torch
from torch import Tensor


def logit_kl(logits: Tensor) -> Tensor:
    """``KL(uniform || s / sum s) = sum_c (1/k) ln((1/k) / q_c)`` of the k singular values ``s`` of the logit matrix.

    0 if all are equal; infinite if one is 0 (a model whose logits do not span all classes).

    Args:
        logits: ``[S, n, k]``, all training samples, ``n >= k``.
    Returns:
        ``[S]``.
    """
    values = torch.linalg.svdvals(logits.double())  # [S, k]
    share = values / values.sum(1, keepdim=True)
    return -(share * share.shape[1]).log().mean(1)
