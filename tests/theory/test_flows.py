"""The flows against the differential equations that define them."""

import numpy as np
import pytest
from hypothesis import example, given
from scipy.integrate import solve_ivp

from muon_imbalance.theory import flows, moments
from tests.theory.theory_draws import BOUNDED, FIG2, UNIFORM, mixtures

LOW_SNR = moments.Mixture(k=3, d=3, p=(0.5, 0.3, 0.2), mu=1.0, sigma2=50.0)


def integrate(slope, end, k):
    """Solution [50, k] of ``alpha' = slope(alpha)`` from zero at 50 times up to ``end``, and the times."""
    t = np.linspace(0, end, 50)
    solved = solve_ivp(lambda _, a: slope(a), (0, end), np.zeros(k), "LSODA", t, rtol=1e-10, atol=1e-12)
    return solved.y.T, t


@BOUNDED
@given(mixture=mixtures(8))
def test_gf_solves_its_equation(mixture):
    m = moments.population_moments(mixture)
    alpha, t = integrate(lambda a: m.s_yx - m.s_xx * a, 3 / m.s_xx.min(), mixture.k)
    assert np.abs(flows.gf(t, m.s_xx, m.s_yx) - alpha).max() <= 1e-7


@BOUNDED
@given(mixture=mixtures(8))
@example(mixture=LOW_SNR)
@example(mixture=UNIFORM)
def test_ngf_solves_its_equation(mixture):
    m = moments.population_moments(mixture)

    def slope(alpha):
        g = m.s_yx - m.s_xx * alpha
        return g / np.linalg.norm(g)

    alpha, t = integrate(slope, 0.98 * flows.ngf_arrival_time(m.s_xx, m.s_yx), mixture.k)
    assert np.abs(flows.ngf(t, m.s_xx, m.s_yx) - alpha).max() <= 1e-6


@BOUNDED
@given(mixture=mixtures(8))
@example(mixture=LOW_SNR)
def test_ngf_moves_along_the_path_of_gf_at_unit_speed_and_arrives(mixture):
    m = moments.population_moments(mixture)
    arrival = flows.ngf_arrival_time(m.s_xx, m.s_yx)
    t = np.linspace(0, arrival, 4001)
    alpha = flows.ngf(t, m.s_xx, m.s_yx)
    lengths = np.linalg.norm(np.diff(alpha, axis=0), axis=1)
    assert lengths.sum() == pytest.approx(arrival, rel=1e-4)
    assert np.allclose(lengths[:3900], arrival / 4000, rtol=1e-3, atol=0)
    clock = -np.log1p(-alpha[1:3600] / m.r) / m.s_xx
    assert np.ptp(clock, axis=1).max() <= 1e-6 * clock.max()
    for after in (arrival, 1.5 * arrival, 100 * arrival):
        assert np.array_equal(flows.ngf(after, m.s_xx, m.s_yx), m.r)
    assert np.linalg.norm(alpha[-2] - m.r) == pytest.approx(arrival / 4000, rel=1e-2)


def test_gf_never_arrives_but_ngf_does():
    m = moments.population_moments(FIG2)
    assert flows.ngf_arrival_time(m.s_xx, m.s_yx) == pytest.approx(1.34839, abs=1e-5)
    assert np.all(flows.gf(20.0, m.s_xx, m.s_yx) < m.r)


def test_specgf_and_its_slowed_form():
    r = [0.9, 0.3, 0.6, 0.8]
    assert flows.specgf([0.0, 0.5, 2.0], r).tolist() == [[0] * 4, [0.5, 0.3, 0.5, 0.5], r]
    assert flows.slowed_specgf(1.0, r) == pytest.approx([0.5, 0.3, 0.5, 0.5])


def test_shapes_follow_the_times():
    m = moments.population_moments(FIG2)
    for shape in ((), (5,), (2, 3)):
        t = np.full(shape, 0.3)
        assert flows.gf(t, m.s_xx, m.s_yx).shape == (*shape, 3)
        assert flows.ngf(t, m.s_xx, m.s_yx).shape == (*shape, 3)
        assert flows.specgf(t, m.r).shape == (*shape, 3)
