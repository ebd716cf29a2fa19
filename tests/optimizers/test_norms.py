"""Norm balls and their linear minimisation oracles."""

import pytest
import torch

from muon_imbalance.optimizers.geometry import norms

from . import checks, norm_checks


def test_lmo_attains_the_dual_norm():
    norm_checks.check_norms(norms)


def test_projection_is_the_nearest_point_of_the_ball():
    norm_checks.check_projections(norms)


@pytest.mark.parametrize("scale", [1e-35, 1e-30, 1e-20, 1e-12, 1e15, 1e30])
def test_frobenius_lmo_has_unit_norm_at_every_float32_scale(scale):
    d = norms.Frobenius().lmo(scale * torch.randn(2, 40, 30))
    assert torch.allclose(torch.linalg.matrix_norm(d.double()), torch.ones(2, dtype=torch.float64), rtol=1e-4)


@pytest.mark.parametrize(
    "norm", norm_checks.norm_objects(norms), ids=lambda n: f"{type(n).__name__}{getattr(n, 'k', '')}"
)
def test_a_bad_matrix_shows_and_leaves_the_others_alone(norm):
    g = torch.randn(3, 4, 6, dtype=torch.float64)
    expected = norm.lmo(g)
    g[1, 2, 3] = torch.nan
    d = norm.lmo(g)
    assert d[1].isnan().any()
    checks.close(d[[0, 2]], expected[[0, 2]], 1e-13, "models beside a diverged one")
