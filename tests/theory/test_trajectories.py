"""Closed forms equal the full matrix iteration in random bases: GD, NGD, SpecGD; one layer, two and more."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from muon_imbalance.theory import flows, moments, trajectories
from tests.theory import simulate
from tests.theory.theory_draws import BOUNDED, FIG2, bases, diagonal, mixtures, off_diagonal, seeds

TOLERANCE = 1e-9


def run(rule, mixture, seed, lr, steps):
    """``W_bar`` [steps + 1, k, d] of a simulated rule in random bases, and the moments."""
    u, v = bases(mixture.k, mixture.d, seed)
    m = moments.population_moments(mixture, u, v)
    return simulate.in_eigenbasis(simulate.linear(rule, m.sigma_xx, m.sigma_yx, lr, steps), u, v), m


@BOUNDED
@given(mixture=mixtures(), seed=seeds, share=st.floats(0.005, 0.95))
def test_gd_equals_the_simulation(mixture, seed, share):
    lr = share * trajectories.gd_step_limit(moments.population_moments(mixture).s_xx)
    w_bar, m = run("gd", mixture, seed, lr, 150)
    assert np.abs(diagonal(w_bar) - trajectories.gd(np.arange(151), m.s_xx, m.s_yx, lr)).max() <= TOLERANCE
    assert off_diagonal(w_bar) <= TOLERANCE


def test_gd_converges_below_its_step_limit_only():
    m = moments.population_moments(FIG2)
    limit = trajectories.gd_step_limit(m.s_xx)
    assert trajectories.gd(5000, m.s_xx, m.s_yx, 0.99 * limit) == pytest.approx(m.r)
    assert np.abs(trajectories.gd(5000, m.s_xx, m.s_yx, 1.01 * limit)).max() > 1e6


@BOUNDED
@given(seed=seeds, k=st.integers(1, 5), extra=st.integers(0, 3), lr=st.floats(1e-3, 0.05))
def test_specgd_equals_the_simulation_if_the_targets_are_whole_steps(seed, k, extra, lr):
    """Any moments under Condition 1 with ``r_c / lr`` an integer: equal at every step, also after all targets
    are met.
    """
    rng = np.random.default_rng(seed)
    d = k + extra
    u, v = bases(k, d, seed)
    spectrum = rng.uniform(0.2, 2, d)
    length = rng.integers(1, 50, k)
    s_yx = spectrum[:k] * length * lr
    w = simulate.linear("specgd", (v * spectrum) @ v.T, moments.cross_moment(s_yx, u, v), lr, 80)
    w_bar = simulate.in_eigenbasis(w, u, v)
    for exact in (True, False):
        expected = trajectories.specgd(np.arange(81), s_yx / spectrum[:k], lr, exact=exact)
        assert np.abs(diagonal(w_bar) - expected).max() <= TOLERANCE
    assert off_diagonal(w_bar) <= TOLERANCE


@BOUNDED
@given(mixture=mixtures(), seed=seeds, lr=st.floats(5e-3, 0.02))
def test_specgd_alternates_around_targets_between_two_steps(mixture, seed, lr):
    """Equal until the first component arrives; from then on rounding is amplified and may mix components, by
    less than one step.
    """
    r = moments.population_moments(mixture).r
    w_bar, m = run("specgd", mixture, seed, lr, int(1.2 * r.max() / lr) + 10)
    steps = np.arange(len(w_bar))
    alpha, proposition = diagonal(w_bar), trajectories.specgd(steps, m.r, lr, exact=False)
    first = int(np.floor(m.r / lr).min()) + 2  # the first step back included
    assert np.abs(alpha - trajectories.specgd(steps, m.r, lr))[: first + 1].max() <= TOLERANCE
    assert np.abs(alpha - proposition).max() < lr
    assert off_diagonal(w_bar) < lr


def test_specgd_alternates_for_ever():
    found = trajectories.specgd(np.arange(200), [0.833333333], 0.01)[:, 0]
    assert found[82:90] == pytest.approx([0.82, 0.83, 0.84, 0.83, 0.84, 0.83, 0.84, 0.83])
    assert np.abs(found[84:] - 0.833333333).max() > 0.006
    assert trajectories.specgd([74, 75, 76, 77], [0.75], 0.01)[:, 0] == pytest.approx([0.74, 0.75, 0.75, 0.75])


@BOUNDED
@given(mixture=mixtures(), seed=seeds)
def test_ngd_equals_the_simulation_until_it_arrives(mixture, seed):
    m = moments.population_moments(mixture)
    lr = flows.ngf_arrival_time(m.s_xx, m.s_yx) / 150
    w_bar, m = run("ngd", mixture, seed, lr, 140)
    assert np.abs(diagonal(w_bar) - trajectories.ngd(140, m.s_xx, m.s_yx, lr)).max() <= TOLERANCE
    assert off_diagonal(w_bar) <= TOLERANCE


@BOUNDED
@given(mixture=mixtures())
def test_ngd_visits_the_points_of_gd(mixture):
    """On GD's path every component names the same GD time ``-ln(1 - alpha_c / r_c) / s_xx_c``."""
    m = moments.population_moments(mixture)
    arrival = flows.ngf_arrival_time(m.s_xx, m.s_yx)
    lr = arrival / 2000
    path = trajectories.ngd(1600, m.s_xx, m.s_yx, lr)[1:]
    clock = -np.log1p(-path / m.r) / m.s_xx
    on_gd = flows.gf(clock[:, np.argmin(m.s_xx)], m.s_xx, m.s_yx)
    assert np.abs(path - on_gd).max() <= lr
    flow = flows.ngf(lr * np.arange(1, 1601), m.s_xx, m.s_yx)
    assert np.abs(path - flow).max() <= lr


def test_specgd_leaves_the_path_of_gd():
    m = moments.population_moments(FIG2)
    path = trajectories.specgd(np.arange(1, 60), m.r, 0.01)
    clock = -np.log1p(-path / m.r) / m.s_xx
    assert np.abs(path - flows.gf(clock[:, 2], m.s_xx, m.s_yx)).max() > 0.1


@BOUNDED
@given(
    mixture=mixtures(most=4),
    seed=seeds,
    depth=st.integers(1, 4),
    delta=st.floats(3, 12),
    wider=st.integers(0, 3),
)
@example(mixture=FIG2, seed=1, depth=4, delta=12.0, wider=0)
def test_deep_specgd_equals_the_simulation(mixture, seed, depth, delta, wider):
    """Props 2-4, hidden layers as wide as k or wider: equal until the first component arrives, within one step
    after.
    """
    u, v = bases(mixture.k, mixture.d, seed)
    m = moments.population_moments(mixture, u, v)
    assume(np.exp(-delta) < m.r.min() ** (1 / depth))  # as the propositions do
    lr, rng = 0.01, np.random.default_rng(seed)
    times = np.sort(trajectories.saturation_time(m.r, lr, depth, delta))
    layers = simulate.matched_start([mixture.k + wider + i for i in range(depth - 1)], u, v, delta, rng)
    steps = int(times[-1]) + 10
    w_bar = simulate.in_eigenbasis(simulate.deep("specgd", layers, m.sigma_xx, m.sigma_yx, lr, steps), u, v)
    expected = trajectories.specgd(np.arange(steps + 1), m.r, lr, depth, delta)
    first = int(times[0]) + 2
    assert np.abs(diagonal(w_bar) - expected)[: first + 1].max() <= TOLERANCE
    # a step of lr in every layer moves the product by (a + lr)^depth - a^depth
    target = m.r.max() ** (1 / depth)
    assert np.abs(diagonal(w_bar) - expected).max() <= 2 * ((target + lr) ** depth - target**depth)


@BOUNDED
@given(seed=seeds, depth=st.integers(1, 4), delta=st.floats(3, 12))
def test_deep_specgd_stays_at_targets_that_are_whole_steps(seed, depth, delta):
    rng = np.random.default_rng(seed)
    k, d, lr = 3, 4, 0.02
    u, v = bases(k, d, seed)
    spectrum = rng.uniform(0.2, 2, d)
    length = rng.integers(20, 50, k)
    r = (np.exp(-delta) + lr * length) ** depth
    sigma_xx, sigma_yx = (v * spectrum) @ v.T, moments.cross_moment(spectrum[:k] * r, u, v)
    layers = simulate.matched_start([k] * (depth - 1), u, v, delta, rng)
    w_bar = simulate.in_eigenbasis(simulate.deep("specgd", layers, sigma_xx, sigma_yx, lr, 60), u, v)
    alpha = diagonal(w_bar)
    assert np.abs(alpha - trajectories.specgd(np.arange(61), r, lr, depth, delta)).max() <= TOLERANCE
    assert off_diagonal(w_bar) <= TOLERANCE
    arrived = [int(np.argmax(np.abs(alpha[:, c] - r[c]) <= TOLERANCE)) for c in range(k)]
    assert arrived == pytest.approx(trajectories.saturation_time(r, lr, depth, delta))


@BOUNDED
@given(mixture=mixtures(most=4), seed=seeds, depth=st.integers(1, 3), delta=st.floats(1, 4))
def test_deep_gd_equals_the_simulation(mixture, seed, depth, delta):
    u, v = bases(mixture.k, mixture.d, seed)
    m = moments.population_moments(mixture, u, v)
    layers = simulate.matched_start([mixture.k + i for i in range(depth - 1)], u, v, delta, np.random.default_rng(seed))
    lr = 0.1 / (depth * m.s_xx.max() * max(1.0, m.r.max()) ** 2)
    w_bar = simulate.in_eigenbasis(simulate.deep("gd", layers, m.sigma_xx, m.sigma_yx, lr, 150), u, v)
    assert np.abs(diagonal(w_bar) - trajectories.deep_gd(150, m.s_xx, m.s_yx, lr, depth, delta)).max() <= TOLERANCE


@BOUNDED
@given(mixture=mixtures(), delta=st.floats(3, 7), eps=st.floats(1e-3, 0.3))
def test_bilinear_gf_is_the_limit_of_gd_on_two_layers(mixture, delta, eps):
    m = moments.population_moments(mixture)
    times = trajectories.bilinear_gf_time(m.s_xx, m.s_yx, delta, eps)
    at_times = np.diagonal(trajectories.bilinear_gf(times, m.s_xx, m.s_yx, delta))
    assert at_times == pytest.approx((1 - eps) * m.r)
    assert trajectories.bilinear_gf(0.0, m.s_xx, m.s_yx, delta) == pytest.approx(np.exp(-2 * delta))
    lr = times.min() / 2000
    discrete = trajectories.deep_gd(2000, m.s_xx, m.s_yx, lr, 2, delta)
    flow = trajectories.bilinear_gf(lr * np.arange(2001), m.s_xx, m.s_yx, delta)
    assert np.abs(discrete - flow).max() <= 0.02 * m.r.max()
    r = m.r
    approximation = (12 + np.log(1 / 1e-6) / 2 + np.log(r) / 2) / m.s_yx
    assert trajectories.bilinear_gf_time(m.s_xx, m.s_yx, 12.0, 1e-6) == pytest.approx(approximation, rel=1e-3)


@BOUNDED
@given(mixture=mixtures(), eps=st.floats(1e-3, 0.3))
def test_linear_gf_time(mixture, eps):
    m = moments.population_moments(mixture)
    times = trajectories.gf_time(m.s_xx, eps)
    assert np.diagonal(flows.gf(times, m.s_xx, m.s_yx)) == pytest.approx((1 - eps) * m.r)


@BOUNDED
@given(mixture=mixtures())
def test_relative_saturation_gap_falls_with_depth(mixture):
    m = moments.population_moments(mixture)
    rarest, commonest = mixture.minority, int(np.argmax(mixture.p))
    gaps = []
    for depth in range(1, 6):
        times = trajectories.saturation_time(m.r, 0.01, depth)
        gap = trajectories.relative_saturation_gap(m.snr, mixture.p[rarest], mixture.p[commonest], depth)
        assert gap == pytest.approx((times[commonest] - times[rarest]) / times[rarest])
        gaps.append(gap)
    assert np.all(np.diff(gaps) < 0)


@pytest.mark.parametrize(
    ("mu", "sigma2", "majority"),
    [(1.0, 0.1, [0.833, 0.913, 0.941, 0.955]), (0.5, 0.01, [1.852, 1.361, 1.228, 1.167])],
)
def test_depth_delays_saturation_unless_targets_exceed_one(mu, sigma2, majority):
    r = moments.population_moments(moments.Mixture(3, 3, FIG2.p, mu, sigma2)).r
    times = [trajectories.saturation_time(r, depth=depth)[0] for depth in (1, 2, 3, 4)]
    assert times == pytest.approx(majority, abs=6e-4)
    assert (np.diff(times) > 0).all() == (mu == 1.0)


def test_the_absolute_gap_can_grow_with_depth():
    r = moments.population_moments(moments.Mixture(3, 3, FIG2.p, 1.0, 1.0)).r
    gaps = [np.ptp(trajectories.saturation_time(r, depth=depth)) for depth in (1, 2, 3)]
    assert gaps[:2] == pytest.approx([0.1667, 0.1691], abs=1e-4)
    assert gaps[2] < gaps[1]


def test_an_absolute_cut_off_would_freeze_a_deep_model():
    """The first gradients of four layers from e^-12 have size e^-36: a relative cut-off moves, an absolute
    one does not.
    """
    u, v = bases(3, 3, 0)
    m = moments.population_moments(FIG2, u, v)
    layers = simulate.matched_start([3, 3, 3], u, v, 12.0, np.random.default_rng(0))
    left = layers[3] @ layers[2] @ layers[1]
    gradient = left.T @ (left @ layers[0] @ m.sigma_xx - m.sigma_yx)
    assert 0 < np.linalg.norm(gradient, 2) < 1e-15
    assert np.linalg.norm(simulate.polar(gradient)) == pytest.approx(np.sqrt(3))
    assert np.linalg.norm(simulate.polar(gradient, noise=1e-12)) == 0


def test_signgd_leaves_the_eigenbasis_and_ends_at_the_optimum():
    w_bar, m = run("signgd", FIG2, 7, 1e-3, 4000)
    assert off_diagonal(w_bar) > 0.05
    assert np.abs(diagonal(w_bar)[-1] - m.r).max() < 0.02


@pytest.mark.parametrize("rule", ["gd", "ngd", "signgd", "specgd"])
def test_no_rule_moves_without_a_gradient(rule):
    m = moments.population_moments(FIG2)
    optimum = np.diag(m.r)
    path = simulate.linear(rule, m.sigma_xx, m.sigma_yx, 0.01, 5, start=optimum)
    assert np.abs(path - optimum).max() <= 1e-12


def test_steps_and_starts_outside_the_propositions_are_refused():
    with pytest.raises(ValueError, match="whole steps"):
        trajectories.specgd([0.5], [1.0], 0.01)
    with pytest.raises(ValueError, match="below every"):
        trajectories.specgd([1], [0.5, 0.01], 0.01, depth=2, delta=1.0)
    with pytest.raises(ValueError, match="positive"):
        trajectories.gd([1], [0.5, -0.1], [0.1, 0.1], 0.01)
