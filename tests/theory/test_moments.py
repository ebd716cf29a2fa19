"""Lemma 3.1 and Eq. 7 against samples and independent expressions; the checks of a mixture's values."""

import numpy as np
import pytest
from hypothesis import given

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.theory import losses, moments
from muon_imbalance.theory.options import MixtureSettings
from tests.theory import simulate
from tests.theory.theory_draws import BOUNDED, FIG2, bases, mixtures, seeds

WIDE = moments.Mixture(k=4, d=6, p=(0.1, 0.4, 0.2, 0.3), mu=1.5, sigma2=0.5)


def sample(mixture, u, v, n, rng):
    """Inputs [n, d], targets [n, k] and labels [n] of the data model, in the bases u, v."""
    label = rng.choice(mixture.k, size=n, p=mixture.p)
    noise = np.sqrt(mixture.sigma2) * rng.standard_normal((n, mixture.d))
    return mixture.mu * v.T[label] + noise, u.T[label], label


def assert_near_mean(draws, expected):
    """``expected`` lies within 6 standard errors of the mean of ``draws`` [n, ...], entry by entry."""
    error = np.std(draws, axis=0) / np.sqrt(len(draws)) + 1e-12
    assert np.all(np.abs(np.mean(draws, axis=0) - expected) <= 6 * error)


@pytest.mark.parametrize("mixture", [FIG2, WIDE], ids=["fig2", "wide"])
def test_lemma_3_1_on_a_sample(mixture):
    u, v = bases(mixture.k, mixture.d, seed=3)
    x, y, _ = sample(mixture, u, v, 100_000, np.random.default_rng(4))
    found = moments.population_moments(mixture, u, v)
    assert_near_mean(x[:, :, None] * x[:, None, :], found.sigma_xx)
    assert_near_mean(y[:, :, None] * x[:, None, :], found.sigma_yx)


@pytest.mark.parametrize("mixture", [FIG2, WIDE], ids=["fig2", "wide"])
def test_class_losses_on_a_sample(mixture):
    rng = np.random.default_rng(5)
    u, v = bases(mixture.k, mixture.d, seed=6)
    w_bar = rng.standard_normal((mixture.k, mixture.d))
    x, y, label = sample(mixture, u, v, 60_000, rng)
    measured = 0.5 * np.sum((y - x @ (u @ w_bar @ v.T).T) ** 2, axis=1)
    expected = simulate.class_losses_of_matrix(w_bar, mixture)
    for c in range(mixture.k):
        assert_near_mean(measured[label == c], expected[c])
    assert_near_mean(measured, losses.total(expected, mixture))


@BOUNDED
@given(mixture=mixtures(), seed=seeds)
def test_moments_solve_the_least_squares_problem(mixture, seed):
    u, v = bases(mixture.k, mixture.d, seed)
    found = moments.population_moments(mixture, u, v)
    assert found.r == pytest.approx(found.snr / (found.snr + 1 / np.asarray(mixture.p)) / mixture.mu)
    optimum = found.sigma_yx @ np.linalg.inv(found.sigma_xx)
    w_bar = simulate.in_eigenbasis(optimum, u, v)
    assert np.allclose(w_bar, np.eye(mixture.k, mixture.d) * found.r[:, None], atol=1e-10)


@BOUNDED
@given(mixture=mixtures(), seed=seeds)
def test_class_losses_add_up_to_the_population_loss(mixture, seed):
    """``sum_c p_c L_c = 1/2 - <W, Sigma_yx> + 1/2 <W Sigma_xx, W>``, which fixes the factor 1/2 and both
    moments.
    """
    u, v = bases(mixture.k, mixture.d, seed)
    found = moments.population_moments(mixture, u, v)
    w = np.random.default_rng(seed).standard_normal((mixture.k, mixture.d))
    by_class = simulate.class_losses_of_matrix(simulate.in_eigenbasis(w, u, v), mixture)
    expected = 0.5 - np.sum(w * found.sigma_yx) + 0.5 * np.sum((w @ found.sigma_xx) * w)
    assert losses.total(by_class, mixture) == pytest.approx(expected)


@BOUNDED
@given(mixture=mixtures(), seed=seeds)
def test_losses_of_a_diagonal_matrix_and_their_groups(mixture, seed):
    alpha = np.random.default_rng(seed).uniform(-1, 2, (7, mixture.k))
    full = np.zeros((7, mixture.k, mixture.d))
    full[:, range(mixture.k), range(mixture.k)] = alpha
    by_class = losses.class_losses(alpha, mixture)
    assert np.allclose(by_class, simulate.class_losses_of_matrix(full, mixture))
    groups = losses.by_group(by_class, mixture)
    assert np.allclose(groups["balanced"], sum(groups[f"class_{c}"] for c in range(mixture.k)) / mixture.k)
    assert np.allclose(groups["all"], sum(p * groups[f"class_{c}"] for c, p in enumerate(mixture.p)))
    assert np.array_equal(groups["minority"], groups[f"class_{int(np.argmin(mixture.p))}"])


def test_fig_2_values():
    found = moments.population_moments(FIG2)
    assert found.r == pytest.approx([5 / 6, 3 / 4, 2 / 3])
    assert found.s_xx == pytest.approx([0.6, 0.4, 0.3])
    assert losses.class_losses(np.zeros(3), FIG2) == pytest.approx([0.5, 0.5, 0.5])


def test_class_probabilities():
    assert moments.uniform(4) == pytest.approx([0.25] * 4)
    assert moments.zipf(3) == pytest.approx([6 / 11, 3 / 11, 2 / 11])
    assert moments.step(4, 20) == pytest.approx([20 / 42, 20 / 42, 1 / 42, 1 / 42])
    assert moments.step(3, 2).tolist() == pytest.approx([0.4, 0.4, 0.2])


def test_random_orthogonal_matrices_are_orthogonal_and_spread_evenly():
    rng = np.random.default_rng(0)
    drawn = np.stack([simulate.random_orthogonal(4, rng) for _ in range(2000)])
    assert np.allclose(drawn @ drawn.transpose(0, 2, 1), np.eye(4))
    assert_near_mean(drawn, np.zeros((4, 4)))
    assert_near_mean(drawn**2, np.full((4, 4), 0.25))


GOOD = {"k": 3, "d": 3, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}


def of(config):
    """The mixture of a configuration."""
    return moments.Mixture.of(checked(MixtureSettings, config, "mixture"))


def test_a_good_config_is_taken_over():
    assert of(GOOD) == FIG2
    assert (FIG2.snr, FIG2.minority) == (pytest.approx(10), 2)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"k": 1}, "mixture.k = 1"),
        ({"k": 3.0}, "mixture.k = 3.0"),
        ({"k": True}, "mixture.k = True"),
        ({"d": 2}, "mixture: d = 2"),
        ({"p": [0.5, 0.3, 0.1]}, "mixture: p sums to 0.9"),
        ({"p": [0.5, 0.5]}, "a list of k = 3"),
        ({"p": "0.5"}, "mixture.p = '0.5'"),
        ({"p": [0.5, 0.5, 0.0]}, r"mixture.p = \[0.5, 0.5, 0.0\]"),
        ({"p": [0.5, 0.3, "0.2"]}, "mixture.p = .*'0.2'"),
        ({"mu": 0}, "mixture.mu = 0"),
        ({"mu": float("nan")}, "mixture.mu = nan"),
        ({"sigma2": -0.1}, "mixture.sigma2 = -0.1"),
        ({"sigma2": None}, "mixture.sigma2 = None"),
        ({"sigma": 1}, "mixture: unknown key 'sigma'; allowed: d, k, mu, p, sigma2"),
    ],
)
def test_a_mixture_outside_the_model_is_refused(change, named):
    with pytest.raises(UserError, match=named) as raised:
        of(GOOD | change)
    assert "allowed" in str(raised.value)
    if set(change) <= set(GOOD):
        with pytest.raises(UserError, match=named):
            moments.Mixture(**GOOD | change)


def test_a_missing_key_is_named():
    with pytest.raises(UserError, match="mixture: key 'mu' is missing"):
        of({key: value for key, value in GOOD.items() if key != "mu"})


def test_numpy_values_are_taken():
    given = {"k": np.int64(3), "d": np.int64(3), "p": np.array([0.5, 0.3, 0.2]), "mu": np.float64(1), "sigma2": 0.1}
    assert moments.Mixture(**given) == FIG2
