"""Many mixtures at once: the same gaps as one mixture at a time, and never below what is proved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muon_imbalance.theory import bounds, moments, sweep
from muon_imbalance.theory.tables import controls
from tests.theory.theory_draws import BOUNDED, FIG2, UNIFORM, mixtures, rare_minorities

FINE = np.concatenate([np.geomspace(1e-7, 0.1, 200), np.linspace(0.1, 1, 1500)])


def at_once(*drawn):
    """:func:`sweep.worst_ratios` of mixtures with the same number of classes."""
    arrays = (np.array([getattr(mixture, name) for mixture in drawn], dtype=float) for name in ("p", "mu", "sigma2"))
    return sweep.worst_ratios(*arrays)


def one_by_one(mixture, flow, part):
    t = controls.first_fit_time(mixture) * FINE
    return float((controls.gaps(mixture, t, flow)[part] / (mixture.mu * t)).min())


@BOUNDED
@given(mixture=st.one_of(mixtures(8), rare_minorities()))
def test_equals_the_flows_of_one_mixture(mixture):
    found = at_once(mixture)
    for flow in ("gf", "ngf"):
        for part in bounds.PARTS:
            assert found[flow][part][0] == pytest.approx(one_by_one(mixture, flow, part), abs=2e-4)


@BOUNDED
@given(drawn=st.lists(mixtures(8), min_size=2, max_size=5))
def test_mixtures_do_not_depend_on_their_neighbours(drawn):
    drawn = [mixture for mixture in drawn if mixture.k == drawn[0].k]
    together = at_once(*drawn)
    for i, mixture in enumerate(drawn):
        alone = at_once(mixture)
        for flow in ("gf", "ngf"):
            for part in bounds.PARTS:
                assert together[flow][part][i] == pytest.approx(alone[flow][part][0], abs=1e-12)


@BOUNDED
@given(mixture=st.one_of(mixtures(8), rare_minorities()))
def test_never_below_the_proved_rates_or_the_theorems(mixture):
    found, proved = at_once(mixture), bounds.rates(mixture)
    for flow, theorems in (("gf", ("theorem1", "theorem3")), ("ngf", ("theorem2", "theorem4"))):
        for part in bounds.PARTS:
            assert found[flow][part][0] >= proved[flow][part] - 1e-9
            for theorem in theorems:
                if bounds.applies(theorem, mixture, part).applies:
                    assert found[flow][part][0] >= bounds.CONSTANTS[theorem][part] - 1e-9


def test_measured_values():
    majorities = moments.Mixture(3, 3, (0.4723, 0.4723, 0.0554), 1.0, 100.0)
    found = at_once(FIG2, UNIFORM, majorities)
    assert found["gf"]["minority"] == pytest.approx([0.405, 0.257, 0.875], abs=1e-3)
    assert found["gf"]["balanced"] == pytest.approx([0.320, 0.257, 0.604], abs=1e-3)
    assert found["ngf"]["minority"] == pytest.approx([0.271, 0.089, 0.862], abs=1e-3)
    assert found["ngf"]["balanced"] == pytest.approx([0.157, 0.089, 0.447], abs=1e-3)


def test_blocks_change_memory_only():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(5), 20)
    whole, cut = (sweep.worst_ratios(p, np.ones(20), np.ones(20), block=block) for block in (500, 7))
    for flow in whole:
        for part in bounds.PARTS:
            assert np.allclose(whole[flow][part], cut[flow][part], rtol=0, atol=1e-12)
