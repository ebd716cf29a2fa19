"""The fast form of the Newton-Schulz iteration: on the Gram matrix alone where X is elongated, with few allocations.

Steps act on the Gram matrix A = X X^T alone, P = a + b A + c A^2, A <- P A P, and X is multiplied once, by the
product of the P. In products of short x short matrices a step by itself costs 2 long/short + 1, a block of
steps 2 long/short + 4 block - 3: the same at long = 1.5 short, whatever the length of the block.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from muon_imbalance.optimizers.geometry.gram import gram as gram_of
from muon_imbalance.optimizers.geometry.gram import grams, key, ordered, shares, times
from muon_imbalance.optimizers.geometry.quintic_coefficients import Quintic


def products(
    xs: list[Tensor], schedule: list[Quintic], eps: float, rate: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Pairs of a square and a matrix, whose products are the factors, times the rate ``[S, 1, 1]`` of each model."""
    if key(xs[0])[1]:
        squares, xs = _in_blocks(xs, schedule, eps, rate)
        return list(zip(shares(squares, xs), xs, strict=True))
    by_shape = defaultdict(list)
    for i, x in enumerate(xs):
        by_shape[x.shape[-2:]].append(i)
    found = {}
    for same in by_shape.values():  # each step multiplies the matrices themselves: all of one shape at once
        stack = torch.cat([xs[i] for i in same]) if len(same) > 1 else xs[same[0]]
        square, stack = _singly(stack, schedule, eps, rate)
        sizes = [xs[i].shape[0] for i in same]
        found |= zip(same, zip(square.split(sizes), stack.split(sizes), strict=True), strict=True)
    return [found[i] for i in range(len(xs))]


def _in_blocks(
    xs: list[Tensor], schedule: list[Quintic], eps: float, rate: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """The squares of the last block of steps, in one stack, and the matrices they are still to multiply."""
    xs, gram, factor = _normalised(xs, eps)
    while True:
        block = _gram_steps(schedule)
        total = _polynomials(gram, schedule[:block])
        if factor is not None:
            total, factor = total.mul_(factor), None
        schedule = schedule[block:]
        if not schedule:
            return _times_rate(total, rate), xs
        xs = times(total, xs)
        gram = grams(xs)


def _singly(x: Tensor, schedule: list[Quintic], eps: float, rate: Tensor | None) -> tuple[Tensor, Tensor]:
    """The squares of the last step, and the matrices they are still to multiply."""
    (x,), gram, factor = _normalised([x], eps)
    poly, spares = torch.empty_like(gram), [x.new_empty(x.shape) for _ in schedule[1:3]]
    for step, quintic in enumerate(schedule):
        if step:
            x = torch.bmm(*ordered(poly, x), out=spares[(step - 1) % 2])
            gram_of(x, out=gram)
        _polynomial(gram, quintic, out=poly)
        if not step:
            poly.mul_(factor)
    return _times_rate(poly, rate), x


def _times_rate(squares: Tensor, rate: Tensor | None) -> Tensor:
    """Squares times the rate, in place; they may be several for each model."""
    if rate is None:
        return squares
    return squares.mul_(rate if rate.shape[0] == 1 else rate.repeat(squares.shape[0] // rate.shape[0], 1, 1))


def _normalised(xs: list[Tensor], eps: float) -> tuple[list[Tensor], Tensor, Tensor]:
    """Matrices X, the Gram matrices of all X / (||X||_F + eps), and the factors ``[S, 1, 1]`` 1 / (||X||_F + eps).

    ||X||_F^2 is the trace of the Gram matrix. Where squares may over- or underflow, X is first divided by its
    largest entry; everywhere but on a CPU, where finding out would make the host wait.
    """
    usual = []
    if xs[0].is_cpu:
        gram = grams(xs)
        squares = _traces(gram)
        usual = _usual(squares)
        if all(usual):
            factor = squares.sqrt_().add_(eps).reciprocal_()
            return xs, gram.mul_(factor * factor), factor
    largest = torch.cat([x.abs().amax((-2, -1), keepdim=True) for x in xs])
    kept = ~(largest > 0)
    if usual:
        kept |= torch.tensor(usual)[:, None, None]
    scale = torch.where(kept, 1.0, largest)
    xs = [x / part for x, part in zip(xs, shares(scale, xs), strict=True)]
    gram = grams(xs)
    size = _traces(gram).sqrt_() + eps / scale
    factor = torch.where(size > 0, size, 1.0).reciprocal_()
    return xs, gram.mul_(factor * factor), factor


def _usual(squares: Tensor) -> list[bool]:
    """Whether each is far from where squares under- or overflow, or is NaN."""
    bound = 1e-200 if squares.dtype == torch.float64 else 1e-20
    return [bound < square < 1 / bound or square != square for square in squares.flatten().tolist()]


def _traces(gram: Tensor) -> Tensor:
    """Of ``[S, m, m]``, as ``[S, 1, 1]``."""
    return gram.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None]


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
    """The product of the steps' P = a + b A + c A^2, with A <- P A P after each; ``gram`` is the first A.

    All are symmetric but for rounding. Computing one half and copying it to the other would be up to a fifth quicker,
    but then, at 512 rows with one large singular value, errors are 8 to 70 times as large.
    """
    total, half, poly = None, torch.empty_like(gram), torch.empty_like(gram)
    for step, quintic in enumerate(schedule):
        if step:
            torch.bmm(gram, poly, out=half)
            torch.bmm(half, poly, out=gram)
        if poly is total:
            poly = torch.empty_like(gram)
        _polynomial(gram, quintic, out=poly)
        if total is None:
            total = poly
        else:
            torch.bmm(total, poly, out=half)
            total, half = half, total
    return total


def _polynomial(gram: Tensor, quintic: Quintic, out: Tensor) -> None:
    """P = a + b A + c A^2, put into ``out``."""
    a, b, c = quintic
    eye = _eye(gram.shape[-1], gram.dtype, gram.device)
    torch.add(gram, eye, alpha=a / b, out=out).baddbmm_(gram, gram, beta=b, alpha=c)


@lru_cache(maxsize=16)
def _eye(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.eye(side, dtype=dtype, device=device)
