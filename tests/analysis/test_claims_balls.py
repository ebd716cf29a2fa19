"""Verdicts of Fig. s5 (second paper) on independent simulations, and on altered ones."""

import numpy as np
import pytest

from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.common.errors import UserError
from muon_imbalance.theory import constraints, newton_schulz

from . import ball_runs as made
from .ball_runs import judged
from .synthetic import changed, measured, stated

NAMES = [name for name, claim in stated().items() if claim.experiment in made.MAKERS]


@pytest.mark.parametrize("claim", NAMES)
def test_holds_on_the_simulations(claim):
    found = judged(claim)
    assert found["verdict"] == "holds", found["note"]


def test_the_names():
    assert set(NAMES) == {
        "L1.1", "L1.1.pull", "L1.2", "L1.3", "L1.4", "A.ball.free", "A.ball.five",
        "L1.5", "L1.5.kkt", "A.ball.shape", "A.ball.network", "L1.5.lion", "L1.5.lion_kkt",
    }  # fmt: skip


MUTATIONS = {
    "coupled weight decay": (made.linear, {"kind": "coupled"}, ["L1.1", "L1.1.pull", "L1.2"]),
    "no weight decay": (made.linear, {"kind": "none"}, ["L1.1", "L1.1.pull", "L1.2"]),
    "updates 1 % too long": (made.linear, {"length": 1.01}, ["L1.1"]),
    "updates twice as long": (made.linear, {"length": 2.0}, ["L1.1", "L1.2"]),
    "sign steps for every K": (made.linear, {"rule": "l1"}, ["L1.1", "L1.1.pull", "L1.2", "A.ball.five"]),
    "spectral steps for every K": (made.linear, {"rule": "nuclear"}, ["L1.1", "L1.2", "L1.4", "A.ball.five"]),
    "Frobenius steps for every K": (made.linear, {"rule": "frobenius"}, ["L1.2", "L1.4"]),
    "a step that does not fall": (made.linear, {"schedule": "constant"}, ["L1.2"]),
    "weight decay in the control": (made.linear, {"free": 3.0}, ["L1.3", "A.ball.free"]),
    "Muon, coupled weight decay": (made.muon, {"kind": "coupled"}, ["L1.5", "L1.5.kkt"]),
    "Muon without weight decay": (made.muon, {"kind": "none"}, ["L1.5", "L1.5.kkt"]),
    "Muon, shape factor without its root": (made.muon, {"factor": lambda aspect: max(1, aspect)}, ["L1.5"]),
    "Muon, shape factor missing": (made.muon, {"factor": lambda aspect: 1.0}, ["A.ball.shape"]),
    "Muon, shape factor of every layer": (made.muon, {"factor": lambda aspect: 1.3}, ["L1.5", "L1.5.kkt"]),
    "Muon with sign steps": (made.muon, {"rule": "l1"}, ["L1.5", "L1.5.kkt"]),
    "Muon, five iterations everywhere": (made.muon, {"rule": "five"}, ["L1.5"]),
    "Muon, weight decay in the control": (made.muon, {"free": 2.0}, ["A.ball.network"]),
    "Lion-K, coupled weight decay": (made.lion, {"kind": "coupled"}, ["L1.5.lion", "L1.5.lion_kkt"]),
    "Lion-K with spectral steps": (made.lion, {"rule": "nuclear"}, ["L1.5.lion", "L1.5.lion_kkt"]),
    "Lion-K, updates too long": (made.lion, {"length": 1.2}, ["L1.5.lion", "L1.5.lion_kkt"]),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_update_fails(name):
    maker, options, turned = MUTATIONS[name]
    frame = maker(**options)
    assert {claim: judged(claim, frame)["verdict"] for claim in turned} == dict.fromkeys(turned, "fails")


def test_leaving_the_ball_for_one_step_is_noticed():
    frame = changed(made.linear(), lambda t, v: v * (1 + 0.001 * (t == 240)), metric="weight_norm_max", group="layer_0")
    assert judged("L1.1", frame)["verdict"] == "fails"
    assert judged("L1.2", frame)["verdict"] == "holds"


def test_one_layer_outside_is_noticed():
    frame = changed(made.muon(), lambda t, v: v * 1.02, metric="weight_norm_spectral", group="layer_1")
    assert judged("L1.5", frame)["verdict"] == "fails"
    gradient = changed(made.muon(), lambda t, v: -v, metric="weight_gradient", group="layer_2")
    assert judged("L1.5.kkt", gradient)["verdict"] == "fails"


def test_what_is_missing_is_named():
    assert judged("L1.1", settings=False)["verdict"] == "not-run"
    experiment = Experiment(made.LINEAR, made.linear(), made.CONFIG[made.LINEAR])
    with pytest.raises(UserError, match=r"lion_k.nuclear_free on norm_balls_linear has no weight decay, so no ball"):
        measured("ball_position", experiment.runs("lion_k.nuclear_free")[0], ball="spectral", window="end")
    bare = made.linear()[lambda frame: frame["metric"] != "weight_norm_max"].reset_index(drop=True)
    with pytest.raises(UserError, match=r"claim L1.1: lion_k.l1_inside on norm_balls_linear has no weight_norm_max"):
        judged("L1.1", bare)


# --- formulas -----------------------------------------------------------------------------------------------


def test_shrinkage_is_what_decay_leaves_of_a_weight():
    lr, weight, found = np.array([0.1, 0.2, 0.05]), 1.0, [1.0]
    for eta in lr:
        weight -= eta * 2.0 * weight
        found.append(weight)
    assert constraints.shrinkage(lr, 2.0) == pytest.approx(found)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_bound_is_sharp_and_never_violated(schedule):
    """Random updates on the unit sphere: no excess; updates along the weight: none left."""
    rng, steps = np.random.default_rng(0), 50
    lr = 0.1 * (np.cos(np.pi * np.arange(steps) / steps) + 1) / 2 if schedule == "cosine" else np.full(steps, 0.1)
    left = constraints.shrinkage(lr, 2.0)
    for sharp in (False, True):
        w, norms = rng.normal(size=(4, 4)), []
        for t in range(steps + 1):
            norms.append(np.linalg.norm(w))
            update = -w if sharp else rng.normal(size=(4, 4))
            w = (1 - 2.0 * lr[min(t, steps - 1)]) * w - lr[min(t, steps - 1)] * update / np.linalg.norm(update)
        excess = constraints.excess(2.0 * np.array(norms)[:, None], left)
        assert excess.max() < 1e-12
        assert (abs(excess).max() < 1e-12) == sharp


def test_no_iterate_of_the_quintic_exceeds_1_21():
    s = np.linspace(0, 1.21, 200_001)
    assert newton_schulz.scalar_map(s, 1).max() < 1.21
    assert newton_schulz.scalar_map(s[s <= 1], 5).max() > 1.19


def test_the_residual_of_a_vanished_gradient_is_zero():
    assert constraints.kkt_residual(np.array([0.0, 2.0]), np.array([0.0, -1.0]), 2.0).tolist() == [0, 0]
