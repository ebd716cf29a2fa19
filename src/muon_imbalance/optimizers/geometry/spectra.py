"""Other directions than the polar factor, as long as it: what a spectral step is compared with at equal length.

For ``X = U S V^T`` of rank r (singular values above ``RTOL`` times the largest) the polar factor ``U V^T`` has the
Frobenius length ``sqrt(r)``; so has everything here. Matrices are ``[S, m, n]``; a zero matrix stays zero, and one with
a NaN or an infinity gives NaN and leaves the others of its stack alone.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.protocol import as_matrix
from muon_imbalance.optimizers.geometry.norms import Spectral

RTOL = 1e-6
"""That of :func:`~muon_imbalance.optimizers.geometry.polar.exact`, so that ranks are the same."""

Map = Callable[[Tensor], Tensor]


def reweighted(x: Tensor, weights: Map) -> Tensor:
    """``c U diag(w) V^T``, with c such that its length is ``sqrt(r)``.

    Args:
        x: ``[S, m, n]``.
        weights: from the singular values over the largest, ``[S, k]`` in rising order, to w, ``[S, k]`` or ``[k]``.
    """
    whole, gram, wide = _squared(x)
    values, vectors = torch.linalg.eigh(gram)
    kept = _kept(values)
    sizes = torch.where(kept, values, 1.0).sqrt()
    wanted = torch.where(kept, weights(sizes / sizes[..., -1:]), 0.0)
    found = wanted * _length(kept) / torch.linalg.vector_norm(wanted, dim=-1, keepdim=True).clamp(min=1e-300)
    root = vectors * (found / sizes).unsqueeze(-2) @ vectors.mT
    return (root @ whole if wide else whole @ root).to(x.dtype)


def equal_rows(x: Tensor) -> Tensor:
    """Every row of X that is not zero at one length, together ``sqrt(r)``; ``[S, m, n]``."""
    whole, gram, _ = _squared(x)
    lengths = torch.linalg.vector_norm(whole, dim=-1, keepdim=True)
    rows = whole / torch.where(lengths > 0, lengths, 1.0)
    count = (lengths > 0).sum(-2, keepdim=True).clamp(min=1)
    return (rows * _length(_kept(torch.linalg.eigvalsh(gram))).unsqueeze(-1) / count.double().sqrt()).to(x.dtype)


def _squared(x: Tensor) -> tuple[Tensor, Tensor, bool]:
    """X in float64 with entries up to 1, its Gram matrix on the smaller side, and whether that is the side of rows.

    Where X is not finite the first is NaN and the second zero.
    """
    x = x.double()
    finite = x.isfinite().all(-1).all(-1)[:, None, None]
    x = torch.where(finite, x, 0.0)
    largest = x.abs().amax((-2, -1), keepdim=True)
    x = x / torch.where(largest > 0, largest, 1.0)
    wide = x.shape[-2] <= x.shape[-1]
    gram = x @ x.mT if wide else x.mT @ x
    return torch.where(finite, x, torch.nan), gram, wide


def _kept(values: Tensor) -> Tensor:
    """Which eigenvalues of the Gram matrix count, ``[S, k]`` (in rising order)."""
    return values > RTOL**2 * values[..., -1:].clamp(min=0)


def _length(kept: Tensor) -> Tensor:
    """``sqrt(r)``, ``[S, 1]``."""
    return kept.sum(-1, keepdim=True).double().sqrt()


class AsLong(Spectral):
    """Steps along ``direction(X)``, one of this file, with Muon's length of a step; beside it this is no norm's oracle.

    Args:
        direction: from ``[S, m, n]`` to the same.
        scale: see :class:`~muon_imbalance.optimizers.geometry.norms.Spectral`.
    """

    def __init__(self, direction: Map, scale: str = "original"):
        super().__init__(direction, scale)

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]:
        return [self.factor(as_matrix(x)).reshape(x.shape) for x in xs]
