"""Newton-Schulz iterations towards the polar factor: as they are defined, and batched in their fast form.

A zero matrix stays zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.protocol import HALF
from muon_imbalance.optimizers.geometry.gram import ordered
from muon_imbalance.optimizers.geometry.gram_steps import products
from muon_imbalance.optimizers.geometry.quintic_coefficients import COEFFICIENTS, Quintic


def plain(x: Tensor, steps: int = 5, coefficients: Sequence[Quintic] = COEFFICIENTS, eps: float = 1e-7) -> Tensor:
    """The iteration as it is defined, of ``[..., m, n]``: what :func:`newton_schulz` computes, but for rounding."""
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + eps)
    for a, b, c in schedule(coefficients, steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def schedule(coefficients: Sequence[Quintic], steps: int) -> list[Quintic]:
    """The quintic of each step: the i-th of ``coefficients``, the last one for all further steps."""
    return list(islice(chain(coefficients, repeat(coefficients[-1])), steps))


def newton_schulz(
    x: Tensor | list[Tensor], steps: int = 5, coefficients: Sequence[Quintic] = COEFFICIENTS, eps: float = 1e-7
) -> Tensor | list[Tensor]:
    """``steps`` times X <- a X + b (X X^T) X + c (X X^T)^2 X from X / (||X||_F + eps), at least in float32.

    Each step maps every singular value s to f(s) = a s + b s^3 + c s^5 and keeps the singular vectors. Five steps of
    Keller Jordan's quintic leave those that start above 0.01 between 0.68 and 1.14, and none above 1.21; one step
    leaves small ones small (f(s) is near 3.44 s), so it is hardly a polar factor. Five of POLAR_EXPRESS leave those
    above 0.003 between 0.87 and 1.13, six between 0.997 and 1.002. With eps = 0 the map does not depend on the scale
    of X. A list of matrices ``[S, m, n]``, alike in ``gram.key``, gives the list of their factors.
    Source: App. A, Keller Jordan's Muon.
    """
    if isinstance(x, Tensor):
        (factor,) = newton_schulz([x.reshape(-1, *x.shape[-2:])], steps, coefficients, eps)
        return factor.reshape(x.shape)
    dtype = x[0].dtype
    xs = [matrix.float() for matrix in x] if dtype in HALF else x
    factors = [torch.bmm(*ordered(square, x)) for square, x in products(xs, schedule(coefficients, steps), eps)]
    return [factor.to(dtype) for factor in factors] if dtype in HALF else factors


@dataclass(frozen=True)
class NewtonSchulz:
    """:func:`newton_schulz` with these settings, of a matrix or a list, or added to parameters."""

    steps: int = 5
    coefficients: Sequence[Quintic] = COEFFICIENTS
    eps: float = 1e-7

    def __call__(self, x: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
        return newton_schulz(x, self.steps, self.coefficients, self.eps)

    def add(
        self,
        xs: list[Tensor],
        rate: Tensor,
        scales: list[float],
        params: list[Tensor],
        outs: list[Tensor],
        kept: float = 1.0,
    ) -> None:
        """Every out <- kept * param + scale * rate * factor of x, for ``[S, m, n]`` in float32 or float64.

        ``rate`` is ``[S, 1, 1]``. The last product goes straight onto the parameter: the factor is never stored.
        """
        found = products(xs, schedule(self.coefficients, self.steps), self.eps, rate)
        for (square, x), scale, param, out in zip(found, scales, params, outs, strict=True):
            torch.baddbmm(param, *ordered(square, x), beta=kept, alpha=scale, out=out)
