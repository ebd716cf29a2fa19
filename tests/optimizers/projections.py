"""The nearest points of norm balls, for the tests of norms and of the KKT condition."""

from collections.abc import Callable

import torch
from torch import Tensor


def project(norm, x: Tensor) -> Tensor:
    """The point nearest to ``x [..., m, n]`` (in Frobenius distance) with ``||X|| <= 1``."""
    return {
        "Frobenius": lambda: x / norm.norm(x)[..., None, None].clamp(min=1),
        "Max": lambda: x.clamp(-1, 1),
        "Spectral": lambda: on_singular_values(x, lambda s: s.clamp(max=1)),
        "KyFan": lambda: on_singular_values(x, lambda s: capped(s, norm.k)),
    }[type(norm).__name__]()


def capped(s: Tensor, total: float) -> Tensor:
    """The point nearest to s >= 0 ``[..., r]`` with entries in [0, 1] and sum at most ``total``: clip(s - t, 0, 1).

    The sum falls piecewise linearly in t, with bends where an entry reaches 0 or 1, so t is found exactly.
    """
    bends = torch.cat([s, s - 1, torch.zeros_like(s[..., :1])], -1).clamp(min=0).sort(-1).values
    sums = (s.unsqueeze(-2) - bends.unsqueeze(-1)).clamp(0, 1).sum(-1)  # [..., 2 r + 1], falling
    after = (sums > total).sum(-1, keepdim=True)  # first bend where the sum is small enough
    before = (after - 1).clamp(min=0)
    low, high = bends.gather(-1, before), bends.gather(-1, after)
    above, below = sums.gather(-1, before), sums.gather(-1, after)
    share = torch.where(above > below, (above - total) / (above - below), 0.0).clamp(0, 1)
    return (s - torch.where(after > 0, low + share * (high - low), 0.0)).clamp(0, 1)


def on_singular_values(x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """U diag(function(s)) V^T in float64; a matrix that is not finite gives NaN and leaves the others alone."""
    finite = x.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
    u, s, vt = torch.linalg.svd(torch.where(finite, x, 0.0).double(), full_matrices=False)
    return torch.where(finite, (u * function(s).unsqueeze(-2)) @ vt, torch.nan).to(x.dtype)
