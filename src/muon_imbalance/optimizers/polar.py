"""Polar factor U V^T of X = U S V^T, batched over the leading axes: exactly, or by Newton-Schulz iterations.

Both work on X [..., m, n] through the smaller of m and n, and keep a zero matrix at zero.
"""

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Keller Jordan's quintic, steep at 0


def exact(x: Tensor, rtol: float = 1e-6) -> Tensor:
    """U V^T over the singular values above `rtol` times the largest one (Table 1, SpecGD and Muon).

    (X X^T)^(-1/2) X by the eigendecomposition of the Gram matrix in float64. The cut-off is relative, so
    tiny gradients still have a full polar factor. Squaring the condition number costs accuracy: singular
    values r times the largest come out as 1 within about 1e-16 / r^2, hence this rtol. A matrix with a
    NaN or an infinity gives NaN and leaves the others of its batch alone.
    """
    flat = x.reshape(-1, *x.shape[-2:]).double()
    largest = flat.abs().amax((-2, -1), keepdim=True)
    finite = largest.isfinite()
    flat = torch.where(finite, flat / torch.where(largest > 0, largest, 1.0), 0.0)
    wide = flat.shape[-2] <= flat.shape[-1]
    root = _inverse_root(flat @ flat.mT if wide else flat.mT @ flat, rtol)
    factor = root @ flat if wide else flat @ root
    return torch.where(finite, factor, torch.nan).reshape(x.shape).to(x.dtype)


def _inverse_root(gram: Tensor, rtol: float) -> Tensor:
    """Pseudo-inverse square root of Gram matrices [S, k, k]."""
    if gram.shape[-1] == 1:
        return torch.where(gram > 0, gram.rsqrt(), 0.0)
    values, vectors = torch.linalg.eigh(gram)
    kept = values > rtol**2 * values[..., -1:]
    scale = torch.where(kept, values.rsqrt(), 0.0)
    return (vectors * scale.unsqueeze(-2)) @ vectors.mT


def newton_schulz(
    x: Tensor, steps: int = 5, coefficients: tuple[float, float, float] = COEFFICIENTS, eps: float = 1e-7
) -> Tensor:
    """`steps` times X <- a X + b (X X^T) X + c (X X^T)^2 X from X / (||X||_F + eps), in the dtype of X.

    Each step maps every singular value s to f(s) = a s + b s^3 + c s^5 and keeps the singular vectors.
    Five steps leave those that start above 0.01 between 0.68 and 1.14, and none above 1.21; one step leaves
    small ones small (f(s) is near 3.44 s), so it is hardly a polar factor. Source: App. A, Keller Jordan's
    Muon.
    """
    flat = x.reshape(-1, *x.shape[-2:])
    flat = flat / (torch.linalg.vector_norm(flat, dim=(-2, -1), keepdim=True) + eps)
    wide = flat.shape[-2] <= flat.shape[-1]
    short, long = sorted(flat.shape[-2:])
    while steps > 0:
        # In products of short x short matrices a plain step costs 2 long/short + 1, a block in Gram form
        # 2 long/short + 4 block - 3: the same at long = 1.5 short, whatever the length of the block. Rounding
        # errors of the Gram matrix grow 12-fold a step, so it is computed anew after three.
        block = min(steps, 3)
        iterate = _gram_form if block > 1 and long > 1.5 * short else _plain_form
        flat = iterate(flat, wide, block, *coefficients)
        steps -= block
    return flat.reshape(x.shape)


def _plain_form(x: Tensor, wide: bool, steps: int, a: float, b: float, c: float) -> Tensor:
    for _ in range(steps):
        gram = torch.bmm(x, x.mT) if wide else torch.bmm(x.mT, x)
        poly = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, poly, x, beta=a) if wide else torch.baddbmm(x, x, poly, beta=a)
    return x


def _gram_form(x: Tensor, wide: bool, steps: int, a: float, b: float, c: float) -> Tensor:
    """The same iteration on the Gram matrix A: P = a + b A + c A^2, A <- P A P, Q <- P Q; then Q X."""
    gram = torch.bmm(x, x.mT) if wide else torch.bmm(x.mT, x)
    total = None
    for step in range(steps):
        poly = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)  # P - a
        if total is None:
            total = poly.clone()
            total.diagonal(dim1=-2, dim2=-1).add_(a)
        else:
            total = torch.baddbmm(total, poly, total, beta=a)
        if step < steps - 1:
            half = torch.baddbmm(gram, gram, poly, beta=a)
            gram = torch.baddbmm(half, poly, half, beta=a)
    return torch.bmm(total, x) if wide else torch.bmm(x, total)
