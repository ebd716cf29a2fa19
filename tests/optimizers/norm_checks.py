"""Checks of the norms: values, oracles, projections."""

import numpy as np
import torch

from .checks import close
from .projections import project


def norm_objects(norms):
    return [norms.Frobenius(), norms.Max(), norms.Spectral(), *(norms.KyFan(k) for k in (1, 2, 3, 9))]


def numpy_norms(norm, x):
    """Norm and dual norm of one matrix."""
    s, kind = np.linalg.svd(x)[1], type(norm).__name__
    if kind == "KyFan":
        return max(s[0], s.sum() / norm.k), s[: norm.k].sum()
    size = np.sqrt((x * x).sum())
    return {"Frobenius": (size, size), "Max": (abs(x).max(), abs(x).sum()), "Spectral": (s[0], s.sum())}[kind]


def check_norms(norms):
    """norm(lmo(G)) = 1, <G, lmo(G)> = dual norm, and no other D of unit norm does better."""
    generator = torch.Generator().manual_seed(0)
    for norm in norm_objects(norms):
        for shape in [(2, 3, 5, 8), (3, 8, 5), (4, 4), (3, 7, 1), (2, 1, 1)]:
            g = torch.randn(shape, generator=generator, dtype=torch.float64)
            d = norm.lmo(g)
            what = f"{type(norm).__name__} {getattr(norm, 'k', '')} {shape}"
            assert d.shape == g.shape
            assert norm.norm(g).shape == norm.dual_norm(g).shape == torch.Size(shape[:-2])
            first = tuple([0] * (len(shape) - 2))
            expected = numpy_norms(norm, g[first].numpy())
            close(norm.norm(g)[first], expected[0], 1e-12, f"{what}: norm")
            close(norm.dual_norm(g)[first], expected[1], 1e-12, f"{what}: dual norm")
            close(norm.norm(d), np.ones(shape[:-2]), 1e-12, f"{what}: norm of the lmo")
            close((g * d).sum((-2, -1)), norm.dual_norm(g), 1e-12, f"{what}: <G, lmo(G)>")
            for _ in range(20):
                other = torch.randn(shape, generator=generator, dtype=torch.float64)
                other = other / norm.norm(other)[..., None, None]
                assert ((g * other).sum((-2, -1)) <= norm.dual_norm(g) * (1 + 1e-12)).all(), what
        assert torch.equal(norm.lmo(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


def check_projections(norms):
    """P(X) is in the ball, and X - P(X) is normal to it there: <X - P, Y - P> <= 0 for all Y of the ball.

    The largest <X - P, Y> is the dual norm of X - P, so this is one equation. Points of the ball stay.
    """
    generator = torch.Generator().manual_seed(1)
    for norm in norm_objects(norms):
        for shape in [(2, 3, 5, 8), (3, 8, 5), (4, 4), (3, 7, 1), (2, 1, 1)]:
            what = f"{type(norm).__name__} {getattr(norm, 'k', '')} {shape}"
            for size in (0.01, 0.3, 1.0, 3.0, 100.0):
                x = size * torch.randn(shape, generator=generator, dtype=torch.float64)
                p = project(norm, x)
                assert p.shape == x.shape
                assert (norm.norm(p) <= 1 + 1e-12).all(), f"{what}: outside the ball"
                rest = x - p
                slack = norm.dual_norm(rest) - (rest * p).sum((-2, -1))
                scale = float(norm.dual_norm(x).max())
                assert (slack.abs() <= 1e-12 * max(scale, 1)).all(), f"{what}: not the nearest point"
                inside = norm.norm(x) <= 1
                assert (p - x)[inside].abs().amax() <= 1e-13 if inside.any() else True, f"{what}: moved from inside"
                close(project(norm, p), p, 1e-12, f"{what}: projected twice")
