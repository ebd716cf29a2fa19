"""Norms on matrices, their dual norms and linear minimisation oracles, and steps along these (Eq. 1, Table 1).

``lmo(G)`` is the D with ``||D|| = 1`` that maximises ``<G, D>``, so ``<G, lmo(G)>`` is the dual norm of G; steepest
descent steps along ``-lmo(G)``, which is a subgradient of the dual norm. ``lmo(0) = 0``.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import repeat

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.hyperparameters import Hyper
from muon_imbalance.optimizers.base.protocol import HALF, as_matrix, before_and_after, write_back
from muon_imbalance.optimizers.geometry import batched, gram, polar
from muon_imbalance.optimizers.geometry.newton_schulz import NewtonSchulz

Outs = Iterable[Tensor | None]
NEW: Outs = repeat(None)
"""Results are new tensors."""


class Norm(ABC):
    """A norm as data.

    A subclass defines :meth:`norm`, :meth:`dual_norm` and :meth:`lmo`, which act on the last two axes of
    ``[..., m, n]``. The rest has defaults: what an optimizer does with lists of tensors ``[S, out, ...]``, each counted
    as a matrix, and which of them are worked on together.
    """

    any_shape: bool = False
    """Whether :meth:`descend_` takes tensors of any shape, not only stacks."""

    @abstractmethod
    def norm(self, x: Tensor) -> Tensor:
        """``||X||``, ``[..., m, n]`` to ``[...]``."""

    @abstractmethod
    def dual_norm(self, x: Tensor) -> Tensor:
        """The largest ``<X, D>`` with ``||D|| <= 1``, ``[..., m, n]`` to ``[...]``."""

    @abstractmethod
    def lmo(self, x: Tensor) -> Tensor:
        """The D of norm 1 with the largest ``<X, D>``, of the shape of X; a NaN in X shows in D."""

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]:
        """The oracle of tensors ``[S, out, ...]`` of one batch, in their own shapes."""
        return [self.lmo(as_matrix(x)).reshape(x.shape) for x in xs]

    def length(self, param: Tensor) -> float:
        """Length of a step on a parameter, in learning rates."""
        return 1.0

    def batches(self, xs: list[Tensor]) -> Iterator[list[int]]:
        """Places of the tensors that :meth:`descend` takes together; by default each by itself: nothing is quicker."""
        return ([place] for place in range(len(xs)))

    def descend(
        self, params: list[Tensor], xs: list[Tensor], lr: Hyper, decay: Hyper | None = None, outs: Outs = NEW
    ) -> list[Tensor]:
        """decay * param - length * lr * lmo(x), for one of :meth:`batches`; it may go to ``outs``, even the params."""
        return [
            _moved(param, direction, lr(param), decay, -self.length(param), out)
            for param, direction, out in zip(params, self.lmo_each(xs), outs, strict=False)
        ]

    def portions(self, xs: list[Tensor], *others: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
        """The same division of several lists, for :meth:`descend_`."""
        for batch in self.batches(xs):
            yield tuple([tensors[place] for place in batch] for tensors in (xs, *others))

    def descend_(self, params: list[Tensor], xs: list[Tensor], lr: Hyper, decay: Hyper | None = None) -> None:
        """The step of :meth:`descend` in place, for one model and one of :meth:`portions`."""
        self.descend(params, xs, lr, decay, params)


class Frobenius(Norm):
    """``||X||_F``, its own dual; lmo(G) = G / ||G||_F."""

    def norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x)

    dual_norm = norm

    def lmo(self, x: Tensor) -> Tensor:
        size = frobenius_size(x)
        return x / size.masked_fill(size < torch.finfo(x.dtype).tiny, torch.inf).to(x.dtype)


class FrobeniusMultiple(Frobenius):
    """The same; a step subtracts a multiple of G, so that the oracle need not be stored (NGD, NMD)."""

    any_shape = True

    def descend(self, params, xs, lr, decay=None, outs=NEW) -> list[Tensor]:
        moved = []
        for param, x, out in zip(params, xs, outs, strict=False):
            rate = _multiple(as_matrix(lr(param)), frobenius_size(as_matrix(x)), x.dtype)
            moved.append(_moved(param, x, rate.reshape(lr(param).shape), decay, -1.0, out))
        return moved

    def portions(self, *lists: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
        """All together."""
        yield lists

    def descend_(self, params, xs, lr, decay=None) -> None:
        if decay is not None:
            torch._foreach_mul_(params, decay.number())
        sizes = _safe(xs[0], lambda **sum_in: torch.stack(torch._foreach_norm(xs, **sum_in)))
        rates = _multiple(sizes.new_tensor(lr.number(), dtype=xs[0].dtype), sizes, xs[0].dtype)
        torch._foreach_addcmul_(params, xs, list(rates.unbind()), value=-1)


class GlobalFrobenius(Frobenius):
    """The Frobenius norm of all tensors of a model together (NMD with scope "global")."""

    def batches(self, xs: list[Tensor]) -> Iterator[list[int]]:
        """All together."""
        yield list(range(len(xs)))

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]:
        squares = [torch.linalg.vector_norm(x.flatten(1), dim=1, dtype=torch.float64).square() for x in xs]
        size = sum(squares).sqrt()
        size = size.masked_fill(size == 0, torch.inf)
        return [x / size.reshape(-1, *(1,) * (x.ndim - 1)).to(x.dtype) for x in xs]


def _moved(param: Tensor, x: Tensor, lr: Tensor, decay: Hyper | None, sign: float, out: Tensor | None) -> Tensor:
    """decay * param + sign * lr * x."""
    kept = param if decay is None else torch.mul(param, decay(param), out=out)
    return torch.addcmul(kept, x, lr, value=sign, out=out)


def frobenius_size(x: Tensor) -> Tensor:
    """``||X||_F`` of ``[..., m, n]`` as ``[..., 1, 1]``."""
    return _safe(x, lambda **sum_in: torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True, **sum_in))


def _multiple(lr: Tensor, size: Tensor, dtype: torch.dtype) -> Tensor:
    """lr / size in dtype, always a number, so that it times a zero matrix is zero."""
    bounds = torch.finfo(dtype)
    return (lr / size.clamp(min=bounds.tiny)).clamp(max=bounds.max).to(dtype)


def _safe(like: Tensor, sizes: Callable[..., Tensor]) -> Tensor:
    """Sizes summed in float64, where squares of entries do not vanish or overflow.

    On a CPU the four times faster float32 sum is taken where neither can happen.
    """
    if like.dtype == torch.float32 and like.device.type == "cpu":
        size = sizes()
        smallest, largest = torch.aminmax(size)
        if smallest.item() > 1e-15 and largest.item() < 1e18:
            return size
    return sizes(dtype=torch.float64)


class Max(Norm):
    """max |X_ij|, dual: sum |X_ij|; lmo(G) = sign(G) (SignGD, Signum, Lion)."""

    any_shape = True

    def norm(self, x: Tensor) -> Tensor:
        return x.abs().amax((-2, -1))

    def dual_norm(self, x: Tensor) -> Tensor:
        return x.abs().sum((-2, -1))

    def lmo(self, x: Tensor) -> Tensor:
        """The entries cut to the smallest normal number t, over t: unlike torch's sign it keeps a NaN visible."""
        tiny = torch.finfo(x.dtype).tiny
        return x.clamp(-tiny, tiny).mul_(1 / tiny)

    def portions(self, *lists: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
        """Pieces of whatever shape."""
        return batched.pieces(*lists)

    def descend_(self, params, xs, lr, decay=None) -> None:
        """As lr/t clamp(x, -t, t), with t the smallest normal number.

        That is one pass less than signs and a look for NaNs, which clamp lets through. t is a power of two, so
        normal entries move by exactly lr.
        """
        if decay is not None:
            torch._foreach_mul_(params, decay.number())
        rate, tiny = lr.number(), torch.finfo(xs[0].dtype).tiny
        if rate >= 2:  # rate / t is not a number of this dtype
            torch._foreach_sub_(params, [self.lmo(x) for x in xs], alpha=rate)
        elif len(xs) == 1:
            params[0].sub_(xs[0].clamp(-tiny, tiny), alpha=rate / tiny)
        else:
            clipped = torch._foreach_clamp_min(xs, -tiny)
            torch._foreach_clamp_max_(clipped, tiny)
            torch._foreach_sub_(params, clipped, alpha=rate / tiny)


class Spectral(Norm):
    """Largest singular value, dual: sum of the singular values; lmo(G) = U V^T (SpecGD, exact Muon).

    Args:
        factor: computes U V^T of a matrix or of a list; with ``NewtonSchulz`` the lmo is an approximation of it.
        scale: length of a step: "none" is 1; "original" is sqrt(max(1, rows/cols)) of the matrix; "kernel" takes rows
            and cols from the last two axes of the parameter, as Muon's reference code does (kernel height and width
            for a convolution).
    """

    def __init__(self, factor: Callable = polar.exact, scale: str = "none"):
        self.factor, self.scale = factor, scale

    def norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x, ord=2)

    def dual_norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x, ord="nuc")

    def lmo(self, x: Tensor) -> Tensor:
        return self.factor(x)

    def batches(self, xs: list[Tensor]) -> Iterator[list[int]]:
        return batched.batches(gram.key, xs)

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]:
        factors = self.factor([as_matrix(x) for x in xs])
        return [factor.reshape(x.shape) for factor, x in zip(factors, xs, strict=True)]

    def length(self, param: Tensor) -> float:
        if self.scale == "none":
            return 1.0
        rows, cols = (as_matrix(param) if self.scale == "original" else param).shape[-2:]
        return math.sqrt(max(1.0, rows / cols))


class KyFan(Spectral):
    """max(s_1, (s_1 + ... + s_r) / k), dual: Ky Fan's k-norm s_1 + ... + s_k; lmo(G) = U_k V_k^T.

    s_1 >= s_2 >= ... are the singular values. k = 1 is the nuclear norm (dual: spectral), k >= r the spectral
    norm (dual: nuclear). Where s_k = s_{k+1} there are several U_k V_k^T, any of which does. Source: the
    Lion-K form of Muon (second paper).
    """

    def __init__(self, k: int):
        super().__init__(partial(polar.exact, rank=k))
        self.k = k

    def norm(self, x: Tensor) -> Tensor:
        s = torch.linalg.svdvals(x)
        return torch.maximum(s[..., 0], s.sum(-1) / self.k)

    def dual_norm(self, x: Tensor) -> Tensor:
        return torch.linalg.svdvals(x)[..., : self.k].sum(-1)


class SpectralIterated(Spectral):
    """The same by Newton-Schulz; the last product goes straight onto the parameter and is never stored (Muon)."""

    def __init__(self, factor: NewtonSchulz, scale: str = "none"):
        super().__init__(factor, scale)

    def descend(self, params, xs, lr, decay=None, outs=NEW) -> list[Tensor]:
        if xs[0].dtype in HALF:
            return super().descend(params, xs, lr, decay, outs)
        outs = [torch.empty_like(param) for param in params] if outs is NEW else outs
        kept = 1.0 if decay is None else decay.common()
        if kept is None:  # more than one factor, and a sum of products takes only one
            kept = 1.0
            params = [torch.mul(param, decay(param), out=out) for param, out in zip(params, outs, strict=True)]
        pairs = [before_and_after(param, out) for param, out in zip(params, outs, strict=True)]
        sources, targets = zip(*pairs, strict=True)
        matrices = [as_matrix(x) for x in xs]
        scales = [-self.length(param) for param in params]
        self.factor.add(matrices, lr(matrices[0]), scales, sources, targets, kept)
        for out, target in zip(outs, targets, strict=True):
            write_back(out, target)
        return outs
