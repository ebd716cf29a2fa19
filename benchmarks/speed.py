"""Which pieces of work are timed side by side: whole optimizer steps, GEMMs as the limit, polar factors."""

from collections.abc import Sequence

import torch

from benchmarks import shapes
from benchmarks.contestants import BLOCK, REFRESH, Make
from benchmarks.timing import Times, Work, interleaved
from muon_imbalance.optimizers.geometry import polar
from muon_imbalance.optimizers.geometry.newton_schulz import newton_schulz

MUONS = (
    "Muon",
    "torch.optim.Muon",
    "Keller Jordan's Muon",
    "pytorch-optimizer Muon",
    "pytorch-optimizer Muon, Gram form",
    "pytorch-optimizer Muon, Gram form in float32",
)
CHEAP = (
    "torch.optim.SGD, foreach",
    "NMD",
    "Signum",
    "torch.optim.SGD, fused",
    "torch.optim.Adam, foreach",
    "torch.optim.Adam, fused",
    "Lion",
    "pytorch-optimizer Lion",
)
SHAMPOOS = (
    "Shampoo, refresh 10",
    "DistributedShampoo, refresh 10",
    "pytorch-optimizer ScalableShampoo, refresh 10",
    "pytorch-optimizer Shampoo, refresh 10",
)
FLOAT16 = "pytorch-optimizer Muon, Gram form"
"""Iterates in float16, which many processors have no instructions for."""
GEMM = "GEMM"
GEMM_SIDES = (512, 1024)


def slow_half(side: int = 128, factor: float = 10.0) -> bool:
    """Whether float16 products take more than `factor` times as long as float32 ones here."""
    works = {}
    for dtype in (torch.float16, torch.float32):
        a = torch.randn(side, side).to(dtype)
        works[str(dtype)] = lambda a=a: torch.mm(a, a)
    half, single = interleaved(works, 0.1).values()
    return half.median > factor * single.median


def step(make: Make, given: Sequence[shapes.Shape], steps: int = 1) -> Work:
    """`steps` steps of a fresh optimizer on matrices; the gradients stay where they are, as in training."""
    matrices = [shapes.flat(shape) for shape in given]
    params = [torch.nn.Parameter(weight) for weight in shapes.start(matrices)]
    for param, grad in zip(params, next(shapes.gradients(matrices, 1)), strict=True):
        param.grad = grad
    optimizer = make(params)

    def work() -> None:
        for _ in range(steps):
            optimizer.step()

    return work


def gemm(side: int) -> Work:
    """A square product in float32."""
    a, b, out = torch.randn(side, side), torch.randn(side, side), torch.empty(side, side)
    return lambda: torch.mm(a, b, out=out)


def steps(contestants: dict[str, Make], names: Sequence[str], given: Sequence[shapes.Shape], seconds: float):
    """Times of one step of each optimizer, and of square GEMMs as "GEMM 512", "GEMM 1024"."""
    works = {name: step(contestants[name], given) for name in names if name in contestants}
    works |= {f"{GEMM} {side}": gemm(side) for side in GEMM_SIDES}
    return interleaved(works, seconds)


def limit(given: Sequence[shapes.Shape], times: dict[str, Times]) -> Times:
    """Seconds that the products of the standard iteration take at the best GEMM rate, round by round."""
    flops = shapes.newton_schulz_flops(list(given))
    each = [[t * flops / (2 * side**3) for t in times[f"{GEMM} {side}"].rounds] for side in GEMM_SIDES]
    return Times(tuple(min(at) for at in zip(*each, strict=True)))


def shampoos(contestants: dict[str, Make], given: Sequence[shapes.Shape], seconds: float) -> dict[str, Times]:
    """Times of ten steps of each Shampoo, among which one computes the powers anew."""
    works = {name: step(contestants[name], given, REFRESH) for name in SHAMPOOS if name in contestants}
    return interleaved(works, seconds, at_least=2)


def same_blocks(name: str, given: Sequence[shapes.Shape]) -> bool:
    """Whether a Shampoo cuts these matrices as ours does; pytorch-optimizer's plain one never cuts."""
    return "pytorch-optimizer Shampoo" not in name or max(max(shapes.flat(shape)) for shape in given) <= BLOCK


def polar_factors(rows: int, columns: int, seconds: float) -> dict[str, Times]:
    """Our exact polar factor, our Newton-Schulz and the one by the SVD, of one matrix."""
    x = torch.randn(1, rows, columns)

    def svd() -> None:
        u, _, vt = torch.linalg.svd(x, full_matrices=False)
        u @ vt

    works = {"exact": lambda: polar.exact(x), "Newton-Schulz": lambda: newton_schulz(x), "SVD": svd}
    for work in works.values():
        work()  # what it imports may take longer than all of the measurement
    return interleaved(works, seconds)
