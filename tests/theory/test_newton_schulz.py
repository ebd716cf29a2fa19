"""Newton-Schulz in the eigenbasis: the scalar map, the recursion against the matrix iteration, F12's table."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from muon_imbalance.optimizers.geometry.newton_schulz import newton_schulz as iterated
from muon_imbalance.theory import moments, newton_schulz
from tests.theory import simulate
from tests.theory.theory_draws import BOUNDED, FIG2, bases, broken, diagonal, mixtures, off_diagonal, seeds


def simulated(mixture, u, v, lr, steps, iterations):
    """``W_bar [steps + 1, k, d]`` of ``W -= lr NS(G)`` with the optimizers' own Newton-Schulz."""
    m = moments.population_moments(mixture, u, v)
    w = np.zeros((steps + 1, mixture.k, mixture.d))
    for now in range(steps):
        g = torch.from_numpy(w[now] @ m.sigma_xx - m.sigma_yx)
        w[now + 1] = w[now] - lr * iterated(g[None], iterations)[0].numpy()
    return simulate.in_eigenbasis(w, u, v)


@BOUNDED
@given(mixture=mixtures(), seed=seeds, iterations=st.integers(1, 5))
def test_the_recursion_equals_the_matrix_iteration(mixture, seed, iterations):
    u, v = bases(mixture.k, mixture.d, seed)
    m, lr, steps = moments.population_moments(mixture), 0.01, 60
    expected = newton_schulz.trajectory(steps, m.s_xx, m.s_yx, lr, iterations)
    arrived = (expected >= m.r).any(1)
    kept = int(np.argmax(arrived)) + 1 if arrived.any() else steps + 1
    w_bar = simulated(mixture, u, v, lr, steps, iterations)[:kept]
    assert np.abs(diagonal(w_bar) - expected[:kept]).max() <= 1e-9
    assert off_diagonal(w_bar) <= 1e-9


@given(seed=seeds, iterations=st.integers(1, 5), k=st.integers(2, 6))
@BOUNDED
def test_the_scalar_map_is_what_happens_to_singular_values(seed, iterations, k):
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((k, k + 2))
    s = np.linalg.svd(g, compute_uv=False)
    found = np.linalg.svd(iterated(torch.from_numpy(g)[None], iterations)[0].numpy(), compute_uv=False)
    assert np.sort(np.abs(newton_schulz.speeds(s, iterations))) == pytest.approx(np.sort(found), abs=1e-9)


def test_values_of_the_quintic():
    found = newton_schulz.scalar_map([0.01, 0.1, 0.3, 0.55, 0.7, 1.0], 1)
    assert found == pytest.approx([0.034, 0.34, 0.91, 1.20, 1.11, 0.70], abs=6e-3)
    assert newton_schulz.scalar_map(-0.4, 3) == -newton_schulz.scalar_map(0.4, 3)
    assert newton_schulz.scalar_map(0.3, 0) == 0.3
    s = np.linspace(0, 1, 100_001)
    after = newton_schulz.scalar_map(s, 1)
    assert (s[after.argmax()], after.max()) == pytest.approx((0.555, 1.202), abs=1e-3)
    five = newton_schulz.scalar_map(s[s > 0.01], 5)
    assert 0.67 < five.min() and five.max() < 1.21


@pytest.mark.parametrize(("k", "iterations", "low", "high"), [
    (3, 1, 1.25, 1.35), (10, 1, 3.95, 4.05), (20, 1, 7.9, 8.1), (20, 2, 2.55, 2.7), (20, 3, 1.55, 1.85),
    (20, 5, 1.55, 1.85),
])  # fmt: skip
def test_spread_of_speeds_for_a_spectrum_of_one_over_c(k, iterations, low, high):
    speed = newton_schulz.speeds(1 / np.arange(1, k + 1), iterations)
    assert low <= speed.max() / speed.min() <= high


def test_the_middle_class_of_fig_2_is_fastest():
    m = moments.population_moments(FIG2)
    assert newton_schulz.speeds(m.s_yx, 1) == pytest.approx([0.96, 1.18, 0.96], abs=6e-3)


@pytest.mark.parametrize(("old", "new"), [
    ("(3.4445, -4.7750, 2.0315)", "(3.4445, -4.7750, 2.1315)"),
    ("s_yx - s_xx * alpha[now]", "s_yx + s_xx * alpha[now]"),
    ("range(iterations)", "range(iterations + 1)"),
    ("np.linalg.norm(g, axis=-1, keepdims=True)", "np.abs(g).max(axis=-1, keepdims=True)"),
])  # fmt: skip
def test_a_broken_formula_is_noticed(old, new):
    with broken(newton_schulz, old, new), pytest.raises(AssertionError):
        test_the_recursion_equals_the_matrix_iteration()
