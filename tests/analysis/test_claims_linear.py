"""Verdicts of Figs 5, 10-13, s3, s4 on the scalar recursions themselves, and on altered ones."""

import numpy as np
import pytest

from muon_imbalance.analysis.statistics import components
from muon_imbalance.analysis.statistics.evidence import Experiment, Missing
from muon_imbalance.common.errors import UserError

from . import linear_runs as made
from .linear_runs import judged
from .synthetic import changed, stated, swapped, without

NAMES = [name for name, claim in stated().items() if claim.experiment in made.MAKERS and name != "A10.2"]
EXACT = [name for name in NAMES if stated()[name].experiment in ("deep_specgd", "deep_gd", "newton_schulz")]


@pytest.mark.parametrize("claim", NAMES)
def test_holds_on_the_recursions(claim):
    found = judged(claim)
    assert found["verdict"] == "holds", found["note"]


@pytest.mark.parametrize("claim", EXACT)
def test_exact_theory_is_judged_at_the_smoke_scale_too(claim):
    assert judged(claim, scale="smoke")["verdict"] == "holds"


def test_the_names():
    assert {name.partition("@")[0] for name in NAMES} == {
        "C5.1", "C5.2", "C5.3", "C5.4", "C5.5", "P1.1", "P2.1", "P3.1", "P4.1", "P4.2", "P4.3", "A.depth",
        "A.depth.gap",
        "C10.1", "C10.1.muon", "C10.1.leaves", "C10.2", "C10.2.ngd", "C10.3", "A10.3.overshoot", "C10.4", "A10.1",
        "C11.1", "C11.1.loss", "C12.1", "C13.1", "A.ns1", "A.ns1.tail", "A.ns1.recursion", "A.ns1.exact",
    }  # fmt: skip


# --- mutations: a broken formula turns claims red ------------------------------------------------------------

MUTATIONS = {
    "GD at twice the rate": (made.deep_gd, {"rate": 2.0}, ["C5.5"]),
    "GD, targets without the noise": (made.deep_gd, {"noise": False}, ["C5.5"]),
    "SpecGD, targets without the noise": (made.deep_specgd, {"noise": False}, ["P1.1", "P2.1", "P3.1", "P4.1"]),
    "SpecGD with the wrong sign": (made.deep_specgd, {"sign": -1.0}, ["P1.1", "P2.1", "P3.1", "P4.1"]),
    "SpecGD without the root": (made.deep_specgd, {"root": False}, ["C5.1", "P2.1", "P3.1", "P4.1", "P4.3"]),
    "one iteration everywhere": (made.newton_schulz, {"iterations": 1}, ["A.ns1.tail", "A.ns1.recursion"]),
    "five iterations everywhere": (made.newton_schulz, {"iterations": 5}, ["A.ns1", "A.ns1.tail", "A.ns1.recursion"]),
    "a loss without its 1/2": (made.sample_moments, {"half": 1.0}, ["C11.1.loss"]),
    "B that matters": (made.sample_moments, {"shift": 0.05}, ["C13.1"]),
    "a Muon that overshoots": (made.eigenbasis, {"overshoot": 0.08}, ["A10.3.overshoot"]),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_formula_fails(name):
    maker, options, turned = MUTATIONS[name]
    frame = maker(**options)
    for claim in turned:
        assert judged(claim, frame)["verdict"] in ("fails", "inconclusive"), claim
    assert "fails" in {judged(claim, frame)["verdict"] for claim in turned}


def test_swapped_optimizers_fail():
    frame = made.eigenbasis()
    assert judged("C10.2", swapped(frame, "specgd", "gd"))["verdict"] == "fails"
    assert judged("C10.2.ngd", swapped(frame, "ngd", "signgd"))["verdict"] == "fails"
    assert judged("C10.1", swapped(frame, "ngd", "adam"))["verdict"] == "fails"
    assert judged("C10.1.leaves", swapped(frame, "muon_exact", "adam"))["verdict"] == "fails"
    assert judged("C10.3", swapped(frame, "muon_exact", "adam"))["verdict"] == "fails"
    assert judged("C10.3@muon")["verdict"] == "holds"
    assert judged("C10.3", without(frame, "muon_exact"))["verdict"] == "not-run"


def test_leaving_the_eigenbasis_early_fails():
    early = changed(made.eigenbasis(), lambda t, v: v + 1e-6 * (t == 50), optimizer="muon_exact", metric="deviation")
    assert judged("A10.1", early)["verdict"] == "fails"
    assert judged("C10.1.muon", early)["verdict"] == "holds"
    late = changed(made.eigenbasis(), lambda t, v: v + 0.02 * (t == 200), optimizer="muon_exact", metric="deviation")
    assert judged("A10.1", late)["verdict"] == "holds"
    assert judged("C10.1.muon", late)["verdict"] == "fails"


def test_another_end_fails():
    off = changed(made.eigenbasis(), lambda t, v: v + 0.05 * (t == 1500), optimizer="adam", group="class_1")
    assert judged("C10.4", off)["verdict"] == "fails"
    unaligned = changed(made.eigenbasis(), lambda t, v: v + 0.05, optimizer="signgd", metric="offdiag")
    assert judged("C10.4", unaligned)["verdict"] == "fails"


def test_theory_that_does_not_predict_fails():
    frame = made.sample_moments()
    shifted = changed(frame, lambda t, v: v + 0.06 * (t > 0), optimizer="gd", metric="alpha")
    assert judged("C11.1", shifted)["verdict"] == "fails"
    slow = changed(frame, lambda t, v: v * 0.85, optimizer="muon_exact", metric="alpha")
    assert judged("C12.1", slow)["verdict"] == "fails" and judged("C12.1@muon", slow)["verdict"] == "holds"


def test_muons_overshoot_is_the_lag_of_its_momentum():
    mixture = made.CONFIG["eigenbasis"]["mixture"]
    alpha = made.momentum_path(*made.moments(mixture), 0.01, 300)
    runs = made.run("eigenbasis", "muon_exact", "", 0, alpha, "0.01")
    found = judged("A10.2", runs)
    assert found["verdict"] == "holds" and found["estimate"] == pytest.approx(9.67, abs=0.01)
    assert judged("A10.2", made.eigenbasis())["verdict"] == "fails"  # without momentum there is none


def test_depth_that_accelerates_always_fails():
    """The paper's sentence without its condition: targets above one in every regime."""
    frame = made.deep_specgd()
    renamed = frame["hyper"].str.replace("below_one", "x").str.replace("above_one", "below_one")
    assert judged("A.depth", frame.assign(hyper=renamed.str.replace('"x', '"above_one')))["verdict"] == "fails"
    regimes = frame["hyper"].str.replace("low_snr", "x").str.replace("below_one", "low_snr")
    assert judged("A.depth.gap", frame.assign(hyper=regimes.str.replace('"x', '"below_one')))["verdict"] == "fails"


# --- statistics and variants --------------------------------------------------------------------------------


def test_arrival_times_continue_the_growth():
    steps = np.arange(0, 100, 4)
    layer = np.minimum(0.01 * steps, 0.503)[:, None] + np.array([0.0, 0.001])
    assert components.arrival_times(steps, layer, np.array([0.503, 0.504]), 0.01) == pytest.approx([50.3, 50.3])
    assert np.isnan(components.arrival_times(steps, layer, np.array([0.9, 0.9]), 0.01)).all()


def test_reach_times_are_interpolated():
    steps, alpha = np.array([0, 10, 20]), np.array([[0.0, 0.0], [1.0, 0.2], [1.0, 0.4]])
    assert components.reach_times(steps, alpha, np.array([0.5, 0.3])) == pytest.approx([5, 15])
    assert np.isnan(components.reach_times(steps, alpha, np.array([0.5, 0.5]))[1])


def test_runs_are_told_apart_by_variant():
    experiment = Experiment("deep_gd", made.deep_gd(), made.CONFIG["deep_gd"])
    above, low = (experiment.runs(f"gd.{name}_1")[0] for name in ("above_one", "low_snr"))
    assert above.moments.r.min() > 1 > low.moments.r.max()
    assert above.details["model"] == {"delta": 5, "name": "deep_linear", "layers": 1}
    with pytest.raises(Missing, match="no runs of gd on deep_gd"):
        experiment.runs("gd")
    with pytest.raises(Missing, match=r"no runs of gd\.high on deep_gd"):
        experiment.runs("gd.high")


def test_a_missing_record_or_hyperparameter_is_an_error():
    frame = made.newton_schulz()
    odd = frame[frame["step"] % 3 == 0].reset_index(drop=True)
    with pytest.raises(UserError, match="claim A.ns1: muon.ns1 has no record at step 10"):
        judged("A.ns1", odd)
    bare = frame.assign(hyper=frame["hyper"].str.replace('"ns_steps": 1', '"x": 1'))
    with pytest.raises(UserError, match="muon.ns1 has no hyperparameter ns_steps"):
        judged("A.ns1.recursion", bare)


def test_unreached_targets_leave_times_open():
    short = made.deep_specgd()
    short = short[short["step"] <= 1000].reset_index(drop=True)
    found = judged("P4.2", short)
    assert found["verdict"] == "inconclusive" and "a component never reached its target" in found["note"]
