"""Exact polar factor and Newton-Schulz iterations."""

import numpy as np
import pytest
import torch

from muon_imbalance.optimizers.geometry import gram, gram_steps, norms, polar, quintic_coefficients
from muon_imbalance.optimizers.geometry import newton_schulz as iterations

from . import checks, formulas, polar_checks


def test_exact_factor_equals_the_svd():
    polar_checks.check_exact_polar(polar)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e5])
def test_exact_factor_is_as_accurate_as_documented(condition):
    x = checks.spectrum(20, 50, np.geomspace(1, 1 / condition, 20))
    got = polar.exact(torch.from_numpy(x)[None])[0].numpy()
    assert np.linalg.norm(got - formulas.spectral(x), 2) <= 10 * 1e-16 * condition**2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("factor", [polar.exact, iterations.newton_schulz], ids=["exact", "newton_schulz"])
def test_a_matrix_that_is_not_finite_leaves_the_others_alone(factor, bad):
    x = torch.randn(3, 4, 6, dtype=torch.float64)
    expected = factor(x)
    x[1, 2, 3] = bad
    got = factor(x)
    assert got[1].isnan().any()
    checks.close(got[[0, 2]], expected[[0, 2]], 1e-13, "the other matrices")


def test_newton_schulz_equals_the_plain_float64_iteration():
    polar_checks.check_newton_schulz(iterations)


@pytest.mark.parametrize("shape", [(2, 5, 40), (2, 40, 5), (3, 6, 6), (2, 6, 8), (1, 1, 3), (2, 3, 4, 9)], ids=str)
@pytest.mark.parametrize("coefficients", [quintic_coefficients.COEFFICIENTS, quintic_coefficients.POLAR_EXPRESS])
def test_the_fast_form_is_the_plain_iteration(shape, coefficients):
    x = torch.randn(shape, dtype=torch.float64)
    for steps in (1, 2, 5, 9):
        found = iterations.newton_schulz(x, steps, coefficients)
        checks.close(found, iterations.plain(x, steps, coefficients), 1e-10, f"{steps} steps")


def test_steps_in_blocks_equal_single_steps_exactly_but_for_rounding():
    for shape in [(4, 9), (9, 4), (3, 40)]:
        x = torch.randn(2, *shape, dtype=torch.float64)
        singly = iterations.newton_schulz(x, 1, eps=0.0)
        for _ in range(2):
            grams = gram.grams([singly])
            (singly,) = gram.times(gram_steps._polynomials(grams, quintic_coefficients.COEFFICIENTS), [singly])
        checks.close(iterations.newton_schulz(x, 3, eps=0.0), singly, 1e-12, f"{shape}")


def test_matrices_of_other_shapes_in_one_list_do_not_mix():
    for shapes in ([(2, 5, 8), (1, 9, 5), (3, 5, 40)], [(1, 5, 5), (2, 5, 6)]):
        xs = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
        for factor in (polar.exact, iterations.newton_schulz):
            for got, x in zip(factor(xs), xs, strict=True):
                checks.close(got, factor(x), 1e-11, f"{tuple(x.shape)} beside others")


def test_the_gram_matrix_is_precise():
    polar_checks.check_precise_gram(iterations)
    polar_checks.check_parts_of_gram(gram)
    polar_checks.check_gram_of_short_side(gram)


def test_squares_that_vanish_or_overflow_do_no_harm():
    polar_checks.check_tiny(iterations)


def test_a_nan_among_signs_shows():
    checks.check_nan_signs(norms)


@pytest.mark.parametrize("steps", [6, 7, 8])
def test_more_iterations_stay_finite_and_close(steps):
    """Rounding grows with every step (plain float32 is 1e-3 off after seven), but it must not blow up."""
    x = checks.spectrum(20, 200, [1.0] + [1e-3] * 19).astype(np.float32)
    got = iterations.newton_schulz(torch.from_numpy(x)[None], steps)[0]
    checks.close(got, formulas.newton_schulz(x, steps), 1e-2, f"{steps} steps")


def test_one_step_maps_singular_values_as_the_quintic():
    polar_checks.check_scalar_map(iterations)


def test_five_steps_leave_singular_values_in_the_documented_range():
    for seed in range(5):
        x = checks.spectrum(16, 40, np.geomspace(1, 0.02, 16), seed)
        assert np.linalg.svd(x / np.linalg.norm(x))[1].min() > 0.004
        values = torch.linalg.svdvals(iterations.newton_schulz(torch.from_numpy(x)[None])[0])
        assert values.max() < 1.21
        assert values[:10].min() > 0.68


def test_leading_axes_are_a_batch():
    x = torch.randn(2, 3, 4, 9, dtype=torch.float64)
    for factor in (polar.exact, iterations.newton_schulz):
        checks.close(factor(x)[1, 2], factor(x[1, 2]), 1e-12, "batch entry alone")


@pytest.mark.parametrize("shape", [(2, 5, 40), (2, 5, 6), (1, 6, 6)], ids=str)
def test_arguments_are_not_changed(shape):
    x = torch.randn(shape)
    before = x.clone()
    for factor in (polar.exact, iterations.newton_schulz):
        factor(x)
        factor([x])
        assert torch.equal(x, before)


def test_zero_stays_zero():
    for factor in (polar.exact, iterations.newton_schulz):
        assert torch.equal(factor(torch.zeros(2, 3, 8)), torch.zeros(2, 3, 8))


def test_polar_express_is_the_published_schedule():
    polar_checks.check_polar_express(iterations, quintic_coefficients)


@pytest.mark.parametrize(("steps", "low", "high"), [(5, 0.84, 1.124), (6, 0.993, 1.002), (8, 0.9999, 1.0001)])
def test_polar_express_leaves_singular_values_in_the_documented_range(steps, low, high):
    """Of those that start above 0.001 of the Frobenius norm."""
    x = checks.spectrum(16, 40, np.geomspace(1, 2e-3, 16))
    values = torch.linalg.svdvals(
        iterations.newton_schulz(torch.from_numpy(x)[None], steps, quintic_coefficients.POLAR_EXPRESS)[0]
    )
    assert low <= values.min() <= values.max() <= high


def test_the_largest_singular_values_alone():
    x = torch.randn(3, 6, 9, dtype=torch.float64)
    for rank in (1, 3, 6, 20):
        for turned in (x, x.mT):
            got = polar.exact(turned, rank=rank)
            for factor, matrix in zip(got, turned, strict=True):
                checks.close(factor, formulas.ky_fan(matrix.numpy(), rank), 1e-10, f"rank {rank}")
