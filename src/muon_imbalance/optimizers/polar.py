"""Polar factor U V^T of X = U S V^T, batched over the leading axes: exactly, or by Newton-Schulz iterations.

Both work on X [..., m, n] through the smaller of m and n, and keep a zero matrix at zero.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, islice, repeat

import numpy as np
import torch
from torch import Tensor

from muon_imbalance.optimizers.quintics import COEFFICIENTS, Quintic

SMALL_SIDE, SMALL_SIZE = 24, 8192
"""Sides and entries up to which the exact factor of one matrix is taken by NumPy: 1.2 to 1.7 times faster there."""
NUMPY = (torch.float32, torch.float64)


def exact(x: Tensor | list[Tensor], rtol: float = 1e-6, rank: int | None = None) -> Tensor | list[Tensor]:
    """U V^T over the singular values above `rtol` times the largest one (Table 1, SpecGD and Muon).

    With `rank` k over the k largest of them only, U_k V_k^T (Ky Fan). (X X^T)^(-1/2) X by the
    eigendecomposition of the Gram matrix in float64. The cut-off is relative, so tiny gradients still have a
    full polar factor. Squaring the condition number costs accuracy: singular values r times the largest come
    out as 1 within about 1e-16 / r^2, hence this rtol. A matrix with a NaN or an infinity gives NaN and
    leaves the others of its batch alone. A list of matrices [S, m, n], alike in `key`, gives the list of factors.
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
    """The same in float64 for matrices [S, m, n], alike in `key`."""
    if xs[0].dtype == torch.float64:  # squares of the other types are far from the bounds of float64
        largest = [x.abs().amax((-2, -1), keepdim=True) for x in xs]
        xs = [x / torch.where(size > 0, size, 1.0) for x, size in zip(xs, largest, strict=True)]
    xs = [x.double() for x in xs]
    gram = _grams(xs)
    finite = gram.diagonal(dim1=-2, dim2=-1).sum(-1).isfinite()[:, None, None]
    root = _inverse_root(torch.where(finite, gram, 0.0), rtol, rank)
    return _times(torch.where(finite, root, torch.nan), xs)


def _exact_alone(x: Tensor, rtol: float, rank: int | None) -> Tensor | None:
    """The same for one matrix [m, n] on a CPU, with the fewest operations: at 20 x 200 each is 4 % of the time.

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
    x: Tensor | list[Tensor], steps: int = 5, coefficients: Sequence[Quintic] = COEFFICIENTS, eps: float = 1e-7
) -> Tensor | list[Tensor]:
    """`steps` times X <- a X + b (X X^T) X + c (X X^T)^2 X from X / (||X||_F + eps), at least in float32.

    Step i takes the i-th of `coefficients`, the last one for all further steps; it maps every singular value s
    to f(s) = a s + b s^3 + c s^5 and keeps the singular vectors. Five steps of Keller Jordan's quintic leave
    those that start above 0.01 between 0.68 and 1.14, and none above 1.21; one step leaves small ones small
    (f(s) is near 3.44 s), so it is hardly a polar factor. Five of POLAR_EXPRESS leave those above 0.003 between
    0.87 and 1.13, six between 0.997 and 1.002. With eps = 0 the map does not depend on the scale of X.
    A list of matrices [S, m, n], alike in `key`, gives the list of their factors.
    Source: App. A, Keller Jordan's Muon.

    Steps act on the Gram matrix A = X X^T alone, P = a + b A + c A^2, A <- P A P, and X is multiplied once, by the
    product of the P. In products of short x short matrices a step by itself costs 2 long/short + 1, a block of
    steps 2 long/short + 4 block - 3: the same at long = 1.5 short, whatever the length of the block.
    """
    if isinstance(x, Tensor):
        (factor,) = newton_schulz([x.reshape(-1, *x.shape[-2:])], steps, coefficients, eps)
        return factor.reshape(x.shape)
    dtype = x[0].dtype
    xs = [matrix.float() for matrix in x] if dtype in (torch.bfloat16, torch.float16) else x
    schedule = list(islice(chain(coefficients, repeat(coefficients[-1])), steps))
    if key(xs[0])[1]:
        xs = _iterated(xs, schedule, eps)
    else:  # each step multiplies the matrices themselves: all of one shape at once
        places = _by_shape(xs)
        stacks = _iterated([_stack([xs[i] for i in same]) for same in places], schedule, eps)
        parts = [stack.split([len(xs[i]) for i in same]) for stack, same in zip(stacks, places, strict=True)]
        found = dict(zip(chain(*places), chain(*parts), strict=True))
        xs = [found[i] for i in range(len(xs))]
    return xs if dtype == xs[0].dtype else [matrix.to(dtype) for matrix in xs]


def _iterated(xs: list[Tensor], schedule: list[Quintic], eps: float) -> list[Tensor]:
    """One matrix after the other through all steps of `schedule`, the polynomials of all in one stack."""
    elongated = key(xs[0])[1]
    xs, gram, factor = _normalised(xs, eps)
    while schedule:
        block = _gram_steps(schedule) if elongated else 1
        total = _polynomials(gram, schedule[:block])
        schedule = schedule[block:]
        if factor is not None:
            total, factor = total * factor, None
        xs = _times(total, xs)
        if schedule:
            gram = _grams(xs)
    return xs


def _by_shape(xs: list[Tensor]) -> list[list[int]]:
    """The places of matrices of one shape."""
    places = defaultdict(list)
    for i, x in enumerate(xs):
        places[x.shape[-2:]].append(i)
    return list(places.values())


def _stack(xs: list[Tensor]) -> Tensor:
    return xs[0] if len(xs) == 1 else torch.cat(xs)


def key(x: Tensor) -> tuple[int, bool]:
    """What matrices of one list have in common: the smaller side, and whether the other is 1.5 times as long."""
    short, long = sorted(x.shape[-2:])
    return short, long > 1.5 * short


def _rows_first(x: Tensor) -> bool:
    """Whether to work on X X^T rather than X^T X: the smaller; for a square X the one that is quicker on a CPU."""
    rows, columns = x.shape[-2:]
    return rows < columns or (rows == columns and rows > 128)


def _grams(xs: list[Tensor]) -> Tensor:
    """Gram matrices of all, in one stack."""
    return _stack([_gram(x) for x in xs])


def _gram(x: Tensor) -> Tensor:
    """X X^T or X^T X, whichever is smaller. Where steps go in blocks, their growth asks for a precise one.

    For a short side up to 32 it is then float64, which takes no longer there; else the sum of parts over at most 192
    entries of the long side, each of which rounds less: together they halve the error.
    """
    rows_first = _rows_first(x)
    short, elongated = key(x)
    if not elongated or x.dtype == torch.float64:
        return torch.bmm(x, x.mT) if rows_first else torch.bmm(x.mT, x)
    if short <= 32:
        x = x.double()
        return torch.bmm(x, x.mT) if rows_first else torch.bmm(x.mT, x)
    long = max(x.shape[-2:])
    parts = x.chunk(max(2, -(-long // 192)), -1 if rows_first else -2)
    gram = None
    for part in parts:
        left, right = (part, part.mT) if rows_first else (part.mT, part)
        gram = torch.bmm(left, right) if gram is None else gram.baddbmm_(left, right)
    return gram


def _times(factors: Tensor, xs: list[Tensor]) -> list[Tensor]:
    """Each matrix times its part of a stack of square factors, on the side of its Gram matrix."""
    factors = factors.to(xs[0].dtype)
    parts = [factors] if len(xs) == 1 else factors.split([len(x) for x in xs])
    return [torch.bmm(part, x) if _rows_first(x) else torch.bmm(x, part) for part, x in zip(parts, xs, strict=True)]


def _normalised(xs: list[Tensor], eps: float) -> tuple[list[Tensor], Tensor, Tensor]:
    """Matrices X, the Gram matrices of all X / (||X||_F + eps), and the factors [S, 1, 1] 1 / (||X||_F + eps).

    ||X||_F^2 is the trace of the Gram matrix. Where squares may over- or underflow, X is first divided by its
    largest entry; everywhere but on a CPU, where finding out would make the host wait.
    """
    bound = 1e-200 if xs[0].dtype == torch.float64 else 1e-20
    usual = [False] * sum(len(x) for x in xs)
    if xs[0].is_cpu:
        gram = _grams(xs)
        square = _traces(gram)
        usual = [bound < value < 1 / bound or value != value for value in square.flatten().tolist()]
    scale = 1.0
    if not all(usual):
        largest = torch.cat([x.abs().amax((-2, -1), keepdim=True) for x in xs])
        kept = torch.tensor(usual).to(largest.device)[:, None, None] | ~(largest > 0)
        scale = torch.where(kept, 1.0, largest)
        xs = [x / part for x, part in zip(xs, scale.split([len(x) for x in xs]), strict=True)]
        gram = _grams(xs)
        square = _traces(gram)
    size = square.sqrt() + eps / scale
    factor = torch.where(size > 0, size, 1.0).reciprocal().to(gram.dtype)
    return xs, gram * (factor * factor), factor


def _traces(grams: Tensor) -> Tensor:
    """In float64, [S, 1, 1]."""
    return grams.diagonal(dim1=-2, dim2=-1).sum(-1, dtype=torch.float64)[:, None, None]


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
    """The product of the steps' P = a + b A + c A^2, with A <- P A P after each; `gram` is the first A.

    All are symmetric but for rounding. Computing one half and copying it to the other would be up to a fifth quicker,
    but then, at 512 rows with one large singular value, errors are 8 to 70 times as large.
    """
    total = None
    for step, (a, b, c) in enumerate(schedule):
        if step:
            gram = torch.bmm(torch.bmm(gram, poly), poly)  # noqa: F821
        poly = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        poly.diagonal(dim1=-2, dim2=-1).add_(a)
        total = poly if total is None else torch.bmm(total, poly)
    return total
