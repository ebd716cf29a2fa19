"""How near an iteration in low precision comes to itself in float64, for ill-conditioned matrices."""

import math

import torch
from pytorch_optimizer.optimizer.utils import matrix
from torch import Tensor

from muon_imbalance.optimizers.geometry.newton_schulz import newton_schulz

SHAPES = ((64, 576), (128, 1152), (512, 2352))
CONDITIONS = (1e1, 1e3, 1e5, 1e7)
SPECTRA = {
    "log-uniform": lambda k, condition: torch.logspace(0, -math.log10(condition), k, dtype=torch.float64),
    "one large": lambda k, condition: torch.tensor([1.0] + [1 / condition] * (k - 1), dtype=torch.float64),
}
"""Singular values: from 1 down to 1 / condition evenly in the logarithm, or one of 1 and the rest at 1 / condition."""
A, B, C = 3.4445, -4.7750, 2.0315


def plain(x: Tensor, dtype: torch.dtype, steps: int = 5) -> Tensor:
    """The iteration as it is published, X <- a X + b X X^T X + c (X X^T)^2 X, written out anew, [m, n], m <= n."""
    x = x.to(dtype)
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = A * x + (B * gram + C * (gram @ gram)) @ x
    return x


def conditioned(rows: int, columns: int, condition: float, spectrum: str, seed: int = 0) -> Tensor:
    """Float32 [rows, columns] with singular values from 1 down to 1 / condition, as `spectrum` spreads them."""
    generator = torch.Generator().manual_seed(seed)
    factors = [torch.randn(side, rows, generator=generator, dtype=torch.float64) for side in (rows, columns)]
    u, v = (torch.linalg.qr(factor).Q for factor in factors)
    return ((u * SPECTRA[spectrum](rows, condition)) @ v.mT).float()


METHODS = {
    "ours, float32": lambda x: newton_schulz(x[None])[0],
    "plain, float32": lambda x: plain(x, torch.float32),
    "plain, bfloat16 (torch, Keller Jordan)": lambda x: plain(x, torch.bfloat16),
    "pytorch-optimizer Gram form, float32": lambda x: matrix.zero_power_via_gram_newton_schulz(x, dtype=torch.float32),
}


def errors(shape: tuple[int, int], spectrum: str, condition: float) -> dict[str, float]:
    """Relative Frobenius distance of each method from the plain iteration in float64."""
    x = conditioned(*shape, condition, spectrum)
    true = plain(x, torch.float64)
    size = torch.linalg.matrix_norm
    return {name: (size(method(x).double() - true) / size(true)).item() for name, method in METHODS.items()}
