"""Polar factor U V^T of X = U S V^T, batched over the leading axes, through the smaller of the sides ``[m, n]``.

A zero matrix stays zero.
"""

from bisect import bisect_right

import numpy as np
import torch
from torch import Tensor

from muon_imbalance.optimizers.geometry.gram import grams, times

SMALL_SIDE, SMALL_SIZE = 24, 8192
"""Sides and entries up to which the exact factor of one matrix is taken by NumPy: 1.2 to 1.7 times faster there."""
NUMPY = (torch.float32, torch.float64)


def exact(x: Tensor | list[Tensor], rtol: float = 1e-6, rank: int | None = None) -> Tensor | list[Tensor]:
    """U V^T over the singular values above ``rtol`` times the largest one (Table 1, SpecGD and Muon).

    With ``rank`` k over the k largest of them only, U_k V_k^T (Ky Fan). (X X^T)^(-1/2) X by the
    eigendecomposition of the Gram matrix in float64. The cut-off is relative, so tiny gradients still have a
    full polar factor. Squaring the condition number costs accuracy: singular values r times the largest come
    out as 1 within about 1e-16 / r^2, hence this rtol. A matrix with a NaN or an infinity gives NaN and
    leaves the others of its batch alone. A list of matrices ``[S, m, n]``, alike in ``key``, gives the list of factors.
    """
    if not isinstance(x, Tensor):
        if len(x) == 1:
            return [exact(x[0], rtol, rank)]
        return [factor.to(x[0].dtype) for factor in _exact(x, rtol, rank)]
    if x.is_cpu and (x.ndim == 2 or x.numel() == x.size(-2) * x.size(-1)):
        factor = _exact_alone(x, rtol, rank)
        if factor is not None:
            return factor
    (factor,) = _exact([x.reshape(-1, *x.shape[-2:])], rtol, rank)
    return factor.reshape(x.shape).to(x.dtype)


def _exact(xs: list[Tensor], rtol: float, rank: int | None) -> list[Tensor]:
    """The same in float64 for matrices ``[S, m, n]``, alike in ``key``."""
    if xs[0].dtype == torch.float64:  # squares of the other types are far from the bounds of float64
        largest = [x.abs().amax((-2, -1), keepdim=True) for x in xs]
        xs = [x / torch.where(size > 0, size, 1.0) for x, size in zip(xs, largest, strict=True)]
    xs = [x.double() for x in xs]
    gram = grams(xs)
    finite = gram.diagonal(dim1=-2, dim2=-1).sum(-1).isfinite()[:, None, None]
    root = _inverse_root(torch.where(finite, gram, 0.0), rtol, rank)
    return times(torch.where(finite, root, torch.nan), xs)


def _exact_alone(x: Tensor, rtol: float, rank: int | None) -> Tensor | None:
    """The same for one matrix ``[m, n]`` on a CPU, with the fewest operations: at 20 x 200 each is 4 % of the time.

    None for a matrix that is zero, not finite, or so large or small that squares of its entries might be.
    """
    if min(x.shape[-2:]) <= SMALL_SIDE and x.numel() <= SMALL_SIZE and x.dtype in NUMPY and not x.requires_grad:
        return _exact_small(x, rtol, rank)
    double = x.double() if x.ndim == 2 else x.reshape(x.shape[-2:]).double()
    wide = double.size(0) <= double.size(1)
    try:
        values, vectors = torch.linalg.eigh(torch.mm(double, double.t()) if wide else torch.mm(double.t(), double))
    except torch.linalg.LinAlgError:  # not finite
        return None
    dropped = _dropped(values.tolist(), rtol, rank)
    if dropped is None:
        return None
    if dropped:
        values, vectors = values[dropped:], vectors[:, dropped:]
    root = torch.mm(vectors * values.rsqrt_(), vectors.t())
    factor = torch.mm(root, double) if wide else torch.mm(double, root)
    if x.dtype is not torch.float64:
        factor = factor.float() if x.dtype is torch.float32 else factor.to(x.dtype)
    return factor if x.ndim == 2 else factor.view(x.shape)


def _exact_small(x: Tensor, rtol: float, rank: int | None) -> Tensor | None:
    """The same through NumPy and LAPACK's QL iteration: for small matrices half of torch's time is around the work."""
    from scipy.linalg import lapack  # a third of a second that stacks do without

    given = x.numpy()
    double = given.reshape(given.shape[-2:]).astype(np.float64)
    wide = double.shape[0] <= double.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        gram = np.dot(double, double.T) if wide else np.dot(double.T, double)
    values, vectors, failed = lapack.dsyev(gram.T, overwrite_a=1)
    dropped = None if failed else _dropped(values.tolist(), rtol, rank)
    if dropped is None:
        return None
    if dropped:
        values, vectors = values[dropped:], vectors[:, dropped:]
    root = np.dot(vectors / np.sqrt(values), vectors.T)
    factor = np.dot(root, double) if wide else np.dot(double, root)
    return torch.from_numpy(factor.astype(given.dtype, copy=False).reshape(given.shape))


def _dropped(values: list[float], rtol: float, rank: int | None) -> int | None:
    """How many of these eigenvalues, in rising order, are left out; None where the largest is out of range."""
    if not 1e-200 < values[-1] < 1e200:
        return None
    dropped = bisect_right(values, rtol**2 * values[-1])
    return dropped if rank is None else max(dropped, len(values) - rank)


def _inverse_root(gram: Tensor, rtol: float, rank: int | None) -> Tensor:
    """Pseudo-inverse square root of Gram matrices ``[S, k, k]``."""
    if gram.shape[-1] == 1:
        return torch.where(gram > 0, gram.rsqrt(), 0.0)
    values, vectors = torch.linalg.eigh(gram)
    kept = values > rtol**2 * values[..., -1:]
    if rank is not None:
        kept[..., :-rank] = False
    scale = torch.where(kept, values.rsqrt(), 0.0)
    return torch.bmm(vectors * scale.unsqueeze(-2), vectors.mT)
