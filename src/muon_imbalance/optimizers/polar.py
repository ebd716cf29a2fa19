"""Polar factor U V^T of X = U S V^T, batched over the leading axes: exactly, or by Newton-Schulz iterations.

Both work on X [..., m, n] through the smaller of m and n, and keep a zero matrix at zero.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain, islice, repeat

import torch
from torch import Tensor

Quintic = tuple[float, float, float]

COEFFICIENTS: tuple[Quintic, ...] = ((3.4445, -4.7750, 2.0315),)  # Keller Jordan's quintic, steep at 0

_EXPRESS: tuple[Quintic, ...] = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)


def _shrunk(polynomial: Quintic, factor: float) -> Quintic:
    """The quintic of s / factor."""
    return tuple(value / factor ** (2 * i + 1) for i, value in enumerate(polynomial))


# Every polynomial but the last sees 1 % smaller values, so that rounding cannot push one out of its interval;
# the first a further 1 %, which is the published normalisation by 1.01 ||X||_F.
POLAR_EXPRESS = (
    _shrunk(_EXPRESS[0], 1.01**2), *(_shrunk(quintic, 1.01) for quintic in _EXPRESS[1:-1]), _EXPRESS[-1]
)  # fmt: skip
"""Each quintic is the best one in the maximum norm for the interval the last one left, first [0.001, 1] (Amsel,
Persson, Musco and Gower 2025, "The Polar Express", Algorithm 1, with its published constants)."""


def exact(x: Tensor, rtol: float = 1e-6, rank: int | None = None) -> Tensor:
    """U V^T over the singular values above `rtol` times the largest one (Table 1, SpecGD and Muon).

    With `rank` k over the k largest of them only, U_k V_k^T (Ky Fan). (X X^T)^(-1/2) X by the
    eigendecomposition of the Gram matrix in float64. The cut-off is relative, so tiny gradients still have a
    full polar factor. Squaring the condition number costs accuracy: singular values r times the largest come
    out as 1 within about 1e-16 / r^2, hence this rtol. A matrix with a NaN or an infinity gives NaN and
    leaves the others of its batch alone.
    """
    if x.is_cpu and (x.ndim == 2 or x.numel() == x.size(-2) * x.size(-1)):
        factor = _exact_alone(x, rtol, rank)
        if factor is not None:
            return factor
    flat = x.reshape(-1, *x.shape[-2:]).double()
    if x.dtype == torch.float64:  # squares of the other types are far from the bounds of float64
        largest = flat.abs().amax((-2, -1), keepdim=True)
        flat = flat / torch.where(largest > 0, largest, 1.0)
    wide = flat.shape[-2] <= flat.shape[-1]
    gram = torch.bmm(flat, flat.mT) if wide else torch.bmm(flat.mT, flat)
    finite = gram.diagonal(dim1=-2, dim2=-1).sum(-1).isfinite()[:, None, None]
    root = _inverse_root(torch.where(finite, gram, 0.0), rtol, rank)
    root = torch.where(finite, root, torch.nan)
    factor = torch.bmm(root, flat) if wide else torch.bmm(flat, root)
    return factor.reshape(x.shape).to(x.dtype)


def _exact_alone(x: Tensor, rtol: float, rank: int | None) -> Tensor | None:
    """The same for one matrix [m, n] on a CPU, with the fewest operations: at 20 x 200 each is 4 % of the time.

    None for a matrix that is zero, not finite, or so large or small that squares of its entries might be.
    """
    double = x.double() if x.ndim == 2 else x.reshape(x.shape[-2:]).double()
    wide = double.size(0) <= double.size(1)
    try:
        values, vectors = torch.linalg.eigh(torch.mm(double, double.t()) if wide else torch.mm(double.t(), double))
    except torch.linalg.LinAlgError:  # not finite
        return None
    listed = values.tolist()
    if not 1e-200 < listed[-1] < 1e200:
        return None
    dropped = bisect_right(listed, rtol**2 * listed[-1])
    if rank is not None:
        dropped = max(dropped, len(listed) - rank)
    if dropped:
        values, vectors = values[dropped:], vectors[:, dropped:]
    root = torch.mm(vectors * values.rsqrt_(), vectors.t())
    factor = torch.mm(root, double) if wide else torch.mm(double, root)
    if x.dtype is not torch.float64:
        factor = factor.float() if x.dtype is torch.float32 else factor.to(x.dtype)
    return factor if x.ndim == 2 else factor.view(x.shape)


def _inverse_root(gram: Tensor, rtol: float, rank: int | None) -> Tensor:
    """Pseudo-inverse square root of Gram matrices [S, k, k]."""
    if gram.shape[-1] == 1:
        return torch.where(gram > 0, gram.rsqrt(), 0.0)
    values, vectors = torch.linalg.eigh(gram)
    kept = values > rtol**2 * values[..., -1:]
    if rank is not None:
        kept[..., :-rank] = False
    scale = torch.where(kept, values.rsqrt(), 0.0)
    return torch.bmm(vectors * scale.unsqueeze(-2), vectors.mT)


def newton_schulz(
    x: Tensor, steps: int = 5, coefficients: Sequence[Quintic] = COEFFICIENTS, eps: float = 1e-7
) -> Tensor:
    """`steps` times X <- a X + b (X X^T) X + c (X X^T)^2 X from X / (||X||_F + eps), at least in float32.

    Step i takes the i-th of `coefficients`, the last one for all further steps; it maps every singular value s
    to f(s) = a s + b s^3 + c s^5 and keeps the singular vectors. Five steps of Keller Jordan's quintic leave
    those that start above 0.01 between 0.68 and 1.14, and none above 1.21; one step leaves small ones small
    (f(s) is near 3.44 s), so it is hardly a polar factor. Five of POLAR_EXPRESS leave those above 0.003 between
    0.87 and 1.13, six between 0.997 and 1.002. With eps = 0 the map does not depend on the scale of X.
    Source: App. A, Keller Jordan's Muon.

    Steps act on the Gram matrix A = X X^T alone, P = a + b A + c A^2, A <- P A P, and X is multiplied once, by the
    product of the P. In products of short x short matrices a step by itself costs 2 long/short + 1, a block of
    steps 2 long/short + 4 block - 3: the same at long = 1.5 short, whatever the length of the block.
    """
    flat = x if x.ndim == 3 else x.reshape(-1, *x.shape[-2:])
    if flat.dtype in (torch.bfloat16, torch.float16):
        flat = flat.float()
    short, long = sorted(flat.shape[-2:])
    wide = _rows_first(*flat.shape[-2:])
    schedule = list(islice(chain(coefficients, repeat(coefficients[-1])), steps))
    flat, gram, factor = _normalised(flat, wide, eps)
    while schedule:
        block = _gram_steps(schedule) if long > 1.5 * short else 1
        total = _polynomials(gram, schedule[:block])
        schedule = schedule[block:]
        if factor is not None:
            total, factor = total.mul_(factor), None
        flat = torch.bmm(total, flat) if wide else torch.bmm(flat, total)
        if schedule:
            gram = _gram(flat, wide)
    return flat.reshape(x.shape).to(x.dtype)


def _rows_first(rows: int, columns: int) -> bool:
    """Whether to work on X X^T rather than X^T X: the smaller; a square X, on the side that is faster."""
    return rows < columns or (rows == columns and rows > 128)


def _gram(x: Tensor, wide: bool) -> Tensor:
    return torch.bmm(x, x.mT) if wide else torch.bmm(x.mT, x)


def _normalised(x: Tensor, wide: bool, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """X up to a factor [S, 1, 1] that makes it X / (||X||_F + eps), the Gram matrix of that, and the factor.

    ||X||_F^2 is the trace of the Gram matrix, unless squares over- or underflow: then X is brought to scale before.
    """
    gram = _gram(x, wide)
    square = gram.diagonal(dim1=-2, dim2=-1).sum(-1, dtype=torch.float64)
    bound = 1e-20 if x.dtype == torch.float32 else 1e-200
    usual = square.isnan() | ((square > bound) & (square < 1 / bound))
    scale = None
    if not usual.all():
        largest = x.abs().amax((-2, -1))
        scale = torch.where(usual | ~(largest > 0), 1.0, largest)
        x = x / scale[:, None, None]
        gram = _gram(x, wide)
        square = gram.diagonal(dim1=-2, dim2=-1).sum(-1, dtype=torch.float64)
    size = square.sqrt() + (eps if scale is None else eps / scale.double())
    factor = torch.where(size > 0, size, 1.0).reciprocal()[:, None, None]
    return x, gram.mul_((factor * factor).to(x.dtype)), factor.to(x.dtype)


def _gram_steps(schedule: Sequence[Quintic], growth: float = 20000.0) -> int:
    """Number of steps before the Gram matrix is computed anew: each multiplies its rounding errors by a^2.

    Five of Keller Jordan's (a^2 = 12; the errors of the fifth stay out of the Gram matrix), four of POLAR_EXPRESS.
    """
    count, total = 0, 1.0
    for a, _, _ in schedule:
        if total > growth:
            break
        total *= a * a
        count += 1
    return count


def _polynomials(gram: Tensor, schedule: Sequence[Quintic]) -> Tensor:
    """The product of the steps' P = a + b A + c A^2, with A <- P A P after each; `gram` is the first A."""
    total = None
    for step, (a, b, c) in enumerate(schedule):
        if step:
            gram = torch.bmm(torch.bmm(gram, poly), poly)  # noqa: F821
        poly = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        poly.diagonal(dim1=-2, dim2=-1).add_(a)
        total = poly if total is None else torch.bmm(total, poly)
    return total
