"""Norms on matrices, their dual norms, linear minimisation oracles and projections (Eq. 1, Table 1).

Every function acts on the last two axes of [..., m, n]. `lmo(G)` is the D with ||D|| = 1 that maximises
<G, D>, so <G, lmo(G)> is the dual norm of G; steepest descent steps along -lmo(G), which is a subgradient of
the dual norm. lmo(0) = 0. `project(X)` is the nearest point (in Frobenius distance) with ||X|| <= 1.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from muon_imbalance.optimizers.geometry import gram, polar


class Norm(Protocol):
    """A norm as data: `norm` and `dual_norm` map [..., m, n] to [...], `lmo` and `project` keep the shape.

    `lmo_each` takes a list of matrices [S, m, n] whose `key` is the same, of one dtype on one device; a key of None
    asks for one at a time. A norm that does not ask for the shape of a matrix also has, for lists of whole
    tensors, `descend_`; or, where the lmo is a multiple of the matrix, `rates` of a list and `rate`, so that the
    multiple need not be stored.
    """

    def norm(self, x: Tensor) -> Tensor: ...

    def dual_norm(self, x: Tensor) -> Tensor: ...

    def lmo(self, x: Tensor) -> Tensor: ...

    def project(self, x: Tensor) -> Tensor: ...

    def key(self, x: Tensor) -> Hashable | None: ...

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]: ...


class Alone:
    """Matrices go through the lmo one by one, for which nothing is quicker."""

    def key(self, x: Tensor) -> None:
        return None

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]:
        return [self.lmo(x) for x in xs]


class Frobenius(Alone):
    """||X||_F, its own dual; lmo(G) = G / ||G||_F (NGD, NMD)."""

    def norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x)

    dual_norm = norm

    def lmo(self, x: Tensor) -> Tensor:
        size = frobenius_size(x)
        return x / size.masked_fill(size < torch.finfo(x.dtype).tiny, torch.inf).to(x.dtype)

    def rate(self, x: Tensor, lr: Tensor) -> Tensor:
        """The multiple lr * lmo(x) / x, with lr of shape [..., 1, 1]."""
        return _rate(lr, frobenius_size(x), x.dtype)

    def rates(self, xs: list[Tensor], lr: float) -> list[Tensor]:
        sizes = _safe(xs[0], lambda **sum_in: torch.stack(torch._foreach_norm(xs, **sum_in)))
        return list(_rate(sizes.new_tensor(lr, dtype=xs[0].dtype), sizes, xs[0].dtype).unbind())

    def project(self, x: Tensor) -> Tensor:
        return x / frobenius_size(x).clamp(min=1).to(x.dtype)


def frobenius_size(x: Tensor) -> Tensor:
    """||X||_F as [..., 1, 1]."""
    return _safe(x, lambda **sum_in: torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True, **sum_in))


def _rate(lr: Tensor, size: Tensor, dtype: torch.dtype) -> Tensor:
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


class Max(Alone):
    """max |X_ij|, dual: sum |X_ij|; lmo(G) = sign(G) (SignGD, Signum)."""

    def norm(self, x: Tensor) -> Tensor:
        return x.abs().amax((-2, -1))

    def dual_norm(self, x: Tensor) -> Tensor:
        return x.abs().sum((-2, -1))

    def lmo(self, x: Tensor) -> Tensor:
        """The entries cut to the smallest normal number t, over t: unlike torch's sign it keeps a NaN visible."""
        tiny = torch.finfo(x.dtype).tiny
        return x.clamp(-tiny, tiny).mul_(1 / tiny)

    def descend_(self, params: list[Tensor], xs: list[Tensor], lr: float) -> None:
        """Every param <- param - lr lmo(x), as lr/t clamp(x, -t, t) with t the smallest normal number.

        That is one pass less than signs and a look for NaNs, which clamp lets through. t is a power of two, so
        normal entries move by exactly lr.
        """
        tiny = torch.finfo(xs[0].dtype).tiny
        if lr >= 2:  # lr/t is not a number of this dtype
            torch._foreach_sub_(params, [self.lmo(x) for x in xs], alpha=lr)
            return
        if len(xs) == 1:
            params[0].sub_(xs[0].clamp(-tiny, tiny), alpha=lr / tiny)
            return
        clipped = torch._foreach_clamp_min(xs, -tiny)
        torch._foreach_clamp_max_(clipped, tiny)
        torch._foreach_sub_(params, clipped, alpha=lr / tiny)

    def project(self, x: Tensor) -> Tensor:
        return x.clamp(-1, 1)


FEW, PIECE = 2**15, 2**16
"""Entries of tensors on a CPU up to which one call for all of them is quicker than one for each, and from which on
one call for each part is, since what one operation leaves for the next stays in the cache."""


def portions(*lists: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
    """Lists of tensors of the same shapes in portions, for what is done entry by entry: on a CPU all small ones in one,
    then each larger one, in parts of at most PIECE entries if it is contiguous in all lists; elsewhere all in one."""
    few = []
    for tensors in zip(*lists, strict=True):
        size = tensors[0].numel()
        if not tensors[0].is_cpu or size <= FEW:
            few.append(tensors)
        elif size <= PIECE or not all(tensor.is_contiguous() for tensor in tensors):
            yield tuple([tensor] for tensor in tensors)
        else:
            count = -(-size // PIECE)
            for parts in zip(*(tensor.view(-1).chunk(count) for tensor in tensors), strict=True):
                yield tuple([part] for part in parts)
    if few:
        yield tuple(map(list, zip(*few, strict=True)))


class Spectral:
    """Largest singular value, dual: sum of the singular values; lmo(G) = U V^T (SpecGD, Muon).

    `factor` computes U V^T, for a list as well; with `NewtonSchulz` the lmo is Muon's approximation of it, and `add`
    (else None) puts it onto parameters.
    """

    def __init__(self, factor: Callable = polar.exact):
        self.factor = factor
        self.add = getattr(factor, "add", None)

    def key(self, x: Tensor) -> Hashable:
        return gram.key(x)

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]:
        return self.factor(xs)

    def norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x, ord=2)

    def dual_norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x, ord="nuc")

    def lmo(self, x: Tensor) -> Tensor:
        return self.factor(x)

    def project(self, x: Tensor) -> Tensor:
        return on_singular_values(x, lambda s: s.clamp(max=1))


class KyFan:
    """max(s_1, (s_1 + ... + s_r) / k), dual: Ky Fan's k-norm s_1 + ... + s_k; lmo(G) = U_k V_k^T.

    s_1 >= s_2 >= ... are the singular values. k = 1 is the nuclear norm (dual: spectral), k >= r the spectral
    norm (dual: nuclear). Where s_k = s_{k+1} there are several U_k V_k^T, any of which does. Source: the
    Lion-K form of Muon (second paper).
    """

    def __init__(self, k: int):
        self.k = k

    def key(self, x: Tensor) -> Hashable:
        return gram.key(x)

    def lmo_each(self, xs: list[Tensor]) -> list[Tensor]:
        return polar.exact(xs, rank=self.k)

    def norm(self, x: Tensor) -> Tensor:
        s = torch.linalg.svdvals(x)
        return torch.maximum(s[..., 0], s.sum(-1) / self.k)

    def dual_norm(self, x: Tensor) -> Tensor:
        return torch.linalg.svdvals(x)[..., : self.k].sum(-1)

    def lmo(self, x: Tensor) -> Tensor:
        return polar.exact(x, rank=self.k)

    def project(self, x: Tensor) -> Tensor:
        return on_singular_values(x, lambda s: capped(s, self.k))


def capped(s: Tensor, total: float) -> Tensor:
    """The point nearest to s >= 0 [..., r] with entries in [0, 1] and sum at most `total`: clip(s - t, 0, 1).

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
