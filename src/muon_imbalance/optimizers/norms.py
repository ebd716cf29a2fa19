"""Norms on matrices, their dual norms and linear minimisation oracles (Eq. 1, Table 1).

Every function acts on the last two axes of [..., m, n]. `lmo(G)` is the D with ||D|| = 1 that maximises
<G, D>, so <G, lmo(G)> is the dual norm of G; steepest descent steps along -lmo(G). lmo(0) = 0.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from muon_imbalance.optimizers import polar


class Norm(Protocol):
    """A norm as data: `norm` and `dual_norm` map [..., m, n] to [...], `lmo` keeps the shape."""

    def norm(self, x: Tensor) -> Tensor: ...

    def dual_norm(self, x: Tensor) -> Tensor: ...

    def lmo(self, x: Tensor) -> Tensor: ...


class Frobenius:
    """||X||_F, its own dual; lmo(G) = G / ||G||_F (NGD, NMD)."""

    def norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x)

    dual_norm = norm

    def lmo(self, x: Tensor) -> Tensor:
        """Summed in float64, where the squares of tiny float32 entries do not vanish."""
        size = torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True, dtype=torch.float64)
        return x / size.masked_fill(size < torch.finfo(x.dtype).tiny, torch.inf).to(x.dtype)


class Max:
    """max |X_ij|, dual: sum |X_ij|; lmo(G) = sign(G) (SignGD, Signum)."""

    def norm(self, x: Tensor) -> Tensor:
        return x.abs().amax((-2, -1))

    def dual_norm(self, x: Tensor) -> Tensor:
        return x.abs().sum((-2, -1))

    def lmo(self, x: Tensor) -> Tensor:
        """Adding 0 x keeps a NaN visible, of which torch's sign makes 0."""
        return x.sign().add_(x, alpha=0)


class Spectral:
    """Largest singular value, dual: sum of the singular values; lmo(G) = U V^T (SpecGD, Muon).

    `factor` computes U V^T; with `polar.newton_schulz` the lmo is Muon's approximation of it.
    """

    def __init__(self, factor: Callable[[Tensor], Tensor] = polar.exact):
        self.factor = factor

    def norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x, ord=2)

    def dual_norm(self, x: Tensor) -> Tensor:
        return torch.linalg.matrix_norm(x, ord="nuc")

    def lmo(self, x: Tensor) -> Tensor:
        return self.factor(x)
