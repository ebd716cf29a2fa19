"""Theorems 1-4: never violated inside their conditions; Fig. 2 is outside; controls isolate the imbalance."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muon_imbalance.theory import bounds, losses, moments
from muon_imbalance.theory.tables import controls
from tests.theory.theory_draws import BOUNDED, FIG2, UNIFORM, mixtures, rare_minorities

FLOW = {"theorem1": "gf", "theorem2": "ngf", "theorem3": "gf", "theorem4": "ngf"}
TWO_MAJORITIES = moments.Mixture(k=3, d=3, p=(0.4723, 0.4723, 0.0554), mu=1.0, sigma2=100.0)
"""Meets every condition of Theorem 2 but ``k >= 9``; its balanced gap falls to 0.447 mu t."""


def worst(mixture, reference, slowed=False):
    """Smallest ``gap / (mu t)`` on ``0 < t <= t*`` per part."""
    t = controls.first_fit_time(mixture) * np.linspace(0, 1, 41)[1:]
    found = controls.gaps(mixture, t, reference, slowed)
    return {part: float((gap / (mixture.mu * t)).min()) for part, gap in found.items()}


@BOUNDED
@given(mixture=st.one_of(mixtures(), rare_minorities(), rare_minorities(fewest=9)))
@example(mixture=TWO_MAJORITIES)
@example(mixture=moments.Mixture(16, 16, (*[0.062 + 0.008 / 15] * 15, 0.062), 1.0, 100.0))
def test_no_theorem_is_violated_inside_its_conditions(mixture):
    for theorem in bounds.THEOREMS:
        found = worst(mixture, FLOW[theorem])
        for part in bounds.PARTS:
            if bounds.applies(theorem, mixture, part).applies:
                assert found[part] >= bounds.CONSTANTS[theorem][part] - 1e-9


@BOUNDED
@given(mixture=st.one_of(mixtures(), rare_minorities()))
@example(mixture=FIG2)
def test_the_proved_rates_hold_for_every_mixture(mixture):
    rates = bounds.rates(mixture)
    for reference in ("gf", "ngf"):
        found = worst(mixture, reference)
        for part in bounds.PARTS:
            assert found[part] >= rates[reference][part] - 1e-9


@BOUNDED
@given(mixture=rare_minorities())
@example(mixture=TWO_MAJORITIES)
def test_rates_inside_the_conditions_give_the_constants(mixture):
    assert bounds.applies("theorem1", mixture).applies
    rates = bounds.rates(mixture)
    assert rates["gf"]["minority"] >= 7 / 9 - 1e-9
    assert rates["gf"]["balanced"] >= 1 / 2 - 1e-9
    assert rates["ngf"]["minority"] >= 0.59
    if mixture.k >= 9:
        assert rates["ngf"]["balanced"] >= 1 / 2 - 1e-9


@BOUNDED
@given(mixture=st.one_of(mixtures(), rare_minorities()))
def test_the_odd_constant_is_one_sixth(mixture):
    x, p, snr, k = bounds.saturation_fraction(mixture), min(mixture.p), mixture.snr, mixture.k
    assert (x <= 1 / 6) == (p <= 1 / (5 * snr + 6 * k))
    assert (x <= 1 / 4) == (p <= 1 / (3 * snr + 4 * k))
    assert x == pytest.approx(controls.first_fit_time(mixture) * (mixture.mu + mixture.sigma2 * k / mixture.mu))


def test_balanced_gap_to_ngf_needs_nine_classes():
    assert bounds.applies("theorem2", TWO_MAJORITIES, "minority").applies
    assert not bounds.applies("theorem2", TWO_MAJORITIES).applies
    assert worst(TWO_MAJORITIES, "ngf")["balanced"] == pytest.approx(0.447, abs=1e-3)


def test_fig_2_lies_outside_the_theorems():
    value, bound, met = bounds.applies("theorem1", FIG2).conditions["p_m <= 1/(5 SNR + 6 k)"]
    assert (value, met) == (0.2, False) and bound == pytest.approx(1 / 68)
    for theorem in bounds.THEOREMS:
        assert not bounds.applies(theorem, FIG2).applies
    assert worst(FIG2, "gf") == pytest.approx({"minority": 0.405, "balanced": 0.320}, abs=1e-3)
    assert worst(FIG2, "ngf") == pytest.approx({"minority": 0.271, "balanced": 0.157}, abs=1e-3)


def test_each_condition_is_reported_with_its_value():
    wide = moments.Mixture(12, 12, (*[1.002 / 12.024] * 11, 1.002 / 12.024), 6.0, 1.0)
    found = bounds.applies("theorem1", wide)
    assert found.conditions["k >= 3 mu"] == (12, 18.0, False) and not found.applies
    assert bounds.applies("theorem1", moments.Mixture(3, 3, FIG2.p, 0.5, 0.1)).conditions["mu >= 1"][2] is False
    with pytest.raises(ValueError, match="minority, balanced, both"):
        bounds.applies("theorem3", FIG2, "worst")


def test_theorem_4_has_alternatives():
    few = moments.Mixture(10, 10, (*[0.995 / 9] * 9, 0.005), 1.0, 1.0)
    assert bounds.saturation_fraction(few) < 1 / 6
    assert bounds.applies("theorem4", few).applies
    many = moments.Mixture(20, 20, (*[0.988 / 19] * 19, 0.012), 1.0, 10.0)
    assert 1 / 6 < bounds.saturation_fraction(many) < 1 / 4
    assert "k >= 16" in bounds.applies("theorem4", many, "balanced").conditions
    assert bounds.applies("theorem4", many, "balanced").applies
    assert bounds.minority_share(UNIFORM) == np.inf
    assert not bounds.applies("theorem4", UNIFORM, "minority").applies


def test_specgf_leads_at_equal_time_even_without_imbalance():
    for reference, gap in (("gf", 0.257), ("ngf", 0.089)):
        assert worst(UNIFORM, reference) == pytest.approx({"minority": gap, "balanced": gap}, abs=1e-3)


def test_slowed_specgf_leads_only_with_imbalance():
    t = np.linspace(0.01, 0.7, 50)
    assert np.abs(controls.gaps(UNIFORM, t, "ngf", slowed=True)["minority"]).max() <= 1e-12
    assert worst(FIG2, "ngf", slowed=True) == pytest.approx({"minority": 0.138, "balanced": 0.023}, abs=1e-3)


def test_equal_total_loss_isolates_the_imbalance():
    progress = np.linspace(0.01, 0.99, 99)
    gap = controls.equal_loss(FIG2, progress)[1]["gap"]["minority"]
    assert gap.max() == pytest.approx(0.101, abs=1e-3)
    assert gap.min() > 0
    assert np.abs(controls.equal_loss(UNIFORM, progress)[1]["gap"]["minority"]).max() <= 1e-12


@BOUNDED
@given(mixture=mixtures())
def test_equal_total_loss_is_equal_and_on_both_paths(mixture):
    progress = np.linspace(0.05, 0.95, 19)
    total, found = controls.equal_loss(mixture, progress)
    m = moments.population_moments(mixture)
    t = np.linspace(0, m.r.max(), 4001)
    spec = losses.class_losses(np.minimum(t[:, None], m.r), mixture)
    at_level = np.interp(-total, -losses.total(spec, mixture), losses.minority(spec, mixture))
    assert found["specgf"]["minority"] == pytest.approx(at_level, abs=1e-3)
    assert np.all(np.diff(total) < 0)


def test_equal_loss_refuses_the_ends():
    with pytest.raises(ValueError, match="strictly between"):
        controls.equal_loss(FIG2, [0.0, 0.5])
    with pytest.raises(ValueError, match="gf, ngf"):
        controls.gaps(FIG2, 0.1, "gd")
