"""Gram matrices of stacks [S, m, n] on their smaller side, and products of the stacks with squares of that side."""

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


def joined(xs: list[Tensor]) -> Tensor:
    """Stacks [S, m, n] of one shape as one stack."""
    return xs[0] if len(xs) == 1 else torch.cat(xs)


def grams(xs: list[Tensor]) -> Tensor:
    """Gram matrices of all, in one stack."""
    return joined([gram(x) for x in xs])


def gram(x: Tensor) -> Tensor:
    """X X^T or X^T X, whichever is smaller. Where steps go in blocks, their growth asks for a precise one.

    For a short side up to 32 it is then float64, which takes no longer there; else the sum of parts over at most 384
    entries of the long side, each of which rounds less: together they halve the error.
    """
    wide = rows_first(x)
    short, elongated = key(x)
    if not elongated or x.dtype == torch.float64:
        return torch.bmm(x, x.mT) if wide else torch.bmm(x.mT, x)
    if short <= 32:
        x = x.double()
        return torch.bmm(x, x.mT) if wide else torch.bmm(x.mT, x)
    long = max(x.shape[-2:])
    parts = x.chunk(max(2, -(-long // 384)), -1 if wide else -2)
    total = None
    for part in parts:
        left, right = (part, part.mT) if wide else (part.mT, part)
        total = torch.bmm(left, right) if total is None else total.baddbmm_(left, right)
    return total


def shares(squares: Tensor, xs: list[Tensor]) -> list[Tensor]:
    """The part of a stack of squares that belongs to each stack, in its dtype."""
    squares = squares.to(xs[0].dtype)
    return [squares] if len(xs) == 1 else squares.split([len(x) for x in xs])


def ordered(square: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The two in the order of their product: the square on the side of the Gram matrix."""
    return (square, x) if rows_first(x) else (x, square)


def times(squares: Tensor, xs: list[Tensor]) -> list[Tensor]:
    """Each stack times its part of the squares."""
    return [torch.bmm(*ordered(square, x)) for square, x in zip(shares(squares, xs), xs, strict=True)]
