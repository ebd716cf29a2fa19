"""Gram matrices of stacks ``[S, m, n]`` on their smaller side, and products of the stacks with squares of that side."""

from collections.abc import Sequence

import torch
from torch import Tensor


def key(x: Tensor) -> tuple[int, bool]:
    """What matrices of one list have in common: the smaller side, and whether the other is 1.5 times as long."""
    short, long = sorted(x.shape[-2:])
    return short, long > 1.5 * short


def rows_first(x: Tensor) -> bool:
    """Whether to work on X X^T rather than X^T X: the smaller; for a square X the one that is quicker on a CPU."""
    rows, columns = x.shape[-2:]
    return rows < columns or (rows == columns and rows > 128)


def grams(xs: list[Tensor]) -> Tensor:
    """Gram matrices X X^T or X^T X of all, whichever are smaller, in one new stack.

    Where steps go in blocks, errors grow, so these are precise. For a short side up to 32 they are then float64, which
    takes no longer there; else sums of parts over at most 384 entries of the long side, each of which rounds less:
    together they halve the error.
    """
    short, elongated = key(xs[0])
    if elongated and short <= 32:
        xs = [x.double() for x in xs]
    together = xs[0].new_empty(sum(x.shape[0] for x in xs), short, short)
    precise = elongated and together.dtype == torch.float32
    for x, place in zip(xs, _places(together, xs), strict=True):
        gram(x, place, precise)
    return together


def gram(x: Tensor, out: Tensor, precise: bool = False) -> Tensor:
    """Gram matrices of one stack, put into ``out``."""
    rows = x if rows_first(x) else x.mT
    first, *rest = rows.chunk(max(2, -(-rows.shape[-1] // 384)), -1) if precise else (rows,)
    torch.bmm(first, first.mT, out=out)
    for part in rest:
        out.baddbmm_(part, part.mT)
    return out


def _places(stack: Tensor, xs: list[Tensor]) -> Sequence[Tensor]:
    """The part of a stack that belongs to each of the stacks."""
    return (stack,) if len(xs) == 1 else stack.split_with_sizes([x.shape[0] for x in xs])


def shares(squares: Tensor, xs: list[Tensor]) -> Sequence[Tensor]:
    """The part of a stack of squares that belongs to each stack, in its dtype."""
    return _places(squares.to(xs[0].dtype), xs)


def ordered(square: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The two in the order of their product: the square on the side of the Gram matrix."""
    return (square, x) if rows_first(x) else (x, square)


def times(squares: Tensor, xs: list[Tensor]) -> list[Tensor]:
    """Each stack times its part of the squares."""
    return [torch.bmm(*ordered(square, x)) for square, x in zip(shares(squares, xs), xs, strict=True)]
