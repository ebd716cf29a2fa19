"""Condition 1: exact for the population, ``B`` recovered where it is known, free directions chosen well."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muon_imbalance.theory import diagonalisation, moments
from tests.theory.theory_draws import BOUNDED, bases, mixtures, seeds


@BOUNDED
@given(mixture=mixtures(), seed=seeds)
def test_the_population_is_jointly_diagonalisable(mixture, seed):
    """Lemma 3.1, in any bases; classes of equal probability leave V free among them."""
    u, v = bases(mixture.k, mixture.d, seed)
    m = moments.population_moments(mixture, u, v)
    found = diagonalisation.off_diagonal_ratio(m.sigma_xx, m.sigma_yx)
    assert max(found.values()) <= 1e-9
    turned = diagonalisation.in_right_basis(m.sigma_xx, m.sigma_yx)
    assert np.sort(np.diagonal(turned))[::-1][: mixture.k] == pytest.approx(np.sort(m.s_xx)[::-1])


@BOUNDED
@given(seed=seeds, k=st.integers(1, 4), extra=st.integers(0, 4))
def test_a_known_off_diagonal_part_is_found(seed, k, extra):
    rng = np.random.default_rng(seed)
    d = k + extra
    u, v = bases(k, d, seed)
    noise = rng.standard_normal((d, d))
    noise = 0.01 * (noise + noise.T)
    noise[k:, k:] = 0  # what is free cannot be told from S_xx
    np.fill_diagonal(noise, 0)
    kept = np.diag(np.sort(rng.uniform(1, 5, d))[::-1])
    sigma_yx = moments.cross_moment(np.sort(rng.uniform(0.5, 1, k))[::-1] + np.arange(k)[::-1], u, v)
    found = diagonalisation.off_diagonal_ratio(v @ (kept + noise) @ v.T, sigma_yx)
    assert found["spectral"] == pytest.approx(np.abs(np.linalg.eigvalsh(noise)).max() / kept.max(), abs=1e-9)
    assert found["frobenius"] == pytest.approx(np.linalg.norm(noise) / np.linalg.norm(np.diagonal(kept)), abs=1e-9)


@BOUNDED
@given(seed=seeds, k=st.integers(2, 4), extra=st.integers(0, 4))
def test_turning_keeps_the_spectrum_and_leaves_free_directions_diagonal(seed, k, extra):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((40, k + extra)), rng.standard_normal((40, k))
    sigma_xx, sigma_yx = diagonalisation.sample_moments(x, y)
    turned = diagonalisation.in_right_basis(sigma_xx, sigma_yx)
    assert np.linalg.eigvalsh(turned) == pytest.approx(np.linalg.eigvalsh(sigma_xx))
    free = turned[k:, k:]
    assert np.abs(free - np.diag(np.diagonal(free))).max(initial=0) <= 1e-9
    assert np.all(np.diff(np.diagonal(free)) <= 1e-12)
    size = np.diagonal(turned)
    off = turned - np.diag(size)
    found = diagonalisation.off_diagonal_ratio(sigma_xx, sigma_yx)
    assert found["spectral"] == pytest.approx(np.linalg.norm(off, 2) / np.abs(size).max())
    assert found["frobenius"] == pytest.approx(np.linalg.norm(off) / np.linalg.norm(size))


def test_sample_moments_and_their_centred_form():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 4)) + 3, rng.standard_normal((50, 2)) - 1
    raw = diagonalisation.sample_moments(x, y)
    assert np.allclose(raw[0], sum(np.outer(a, a) for a in x) / 50)
    assert np.allclose(raw[1], sum(np.outer(b, a) for a, b in zip(x, y, strict=True)) / 50)
    found = diagonalisation.centred(raw, x, y)
    wanted = diagonalisation.sample_moments(x - x.mean(0), y - y.mean(0))
    assert np.allclose(found[0], wanted[0]) and np.allclose(found[1], wanted[1])
    assert np.allclose(found[0], np.cov(x.T, bias=True))
