"""Verdicts of Figs 3, 18 to 21 and 32: they hold on runs made so, and flip when the runs are altered."""

import functools

import numpy as np
import pandas as pd
import pytest

from .synthetic import changed, record, rows, stated, swapped, verdict

FIRST_LOSS = {"cifar10_r20": 2.5, "cifar10_r5": 2.5, "cifar100_r20": 5.0}
NAMES = [name for name, claim in stated().items() if claim.experiment.startswith("cifar")]
CONTROLS = ("nmd", "signum", "adam")


def run(experiment, optimizer, seed, centre=None, top=0.4):
    """Minority: a sigmoid about a step of 100; majority and loss are almost alike."""
    draw, muon = np.random.default_rng([seed, len(optimizer)]), optimizer == "muon"
    steps = np.arange(0, 101, 10)
    centre = (25 if muon else 55) if centre is None else centre
    progress = 1 / (1 + np.exp(-(steps - centre - draw.normal(0, 0.5)) / 6))
    curves = {
        ("test", "majority", "accuracy"): (0.76 if muon else 0.75) * (1 - np.exp(-steps / 15)),
        ("test", "minority", "accuracy"): np.where(steps > 0, top * progress, 0.0),
        ("train", "majority", "accuracy"): np.minimum(steps / 50, 1.0),
        ("train", "minority", "accuracy"): np.where(steps > 0, (0.8 if muon else 1.0) * progress, 0.0),
        ("train", "all", "loss"): FIRST_LOSS.get(experiment, 2.5)
        * np.maximum(np.exp(-steps / (29 if muon else 30)), 0.2),
        ("train", "all", "logit_kl"): np.where(steps > 0, (0.5 if muon else 0.8) + draw.normal(0, 0.01), 1.0),
    }
    return rows(experiment, optimizer, seed, steps, curves)


@functools.cache
def frame(experiment):
    """All of C3.*, C18.1 to C21.1, C32.1, A3.* hold: controls fit the minority's training pictures more closely."""
    centre = 25 if experiment == "cifar10_r1" else None
    parts = [run(experiment, name, seed, centre) for seed in range(3) for name in ("muon", *CONTROLS)]
    return pd.concat(parts, ignore_index=True)


def of(claim):
    return pd.concat([frame(name) for name in stated()[claim].experiments], ignore_index=True)


@pytest.mark.parametrize("claim", NAMES)
def test_holds_on_runs_made_so(claim):
    assert verdict(claim, of(claim)) == "holds"
    assert verdict(claim, of(claim).query("seed == 0")) == "inconclusive"
    assert verdict(claim, None) == "not-run"


@pytest.mark.parametrize("control", ["nmd"])
@pytest.mark.parametrize("claim", [name for name in NAMES if not name.startswith("C3.2") and name != "C20.1.r1"])
def test_swapping_muon_and_a_control_fails(claim, control):
    first = claim.startswith(("C3.1", "A3", "C20", "C21", "C32"))
    assert verdict(claim, swapped(of(claim), "muon", control)) in (("fails",) if first else ("fails", "inconclusive"))


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize("claim", [name for name in NAMES if name.startswith("C3.2") or name == "C20.1.r1"])
def test_both_sides_of_a_difference_count(claim, factor):
    altered = changed(of(claim), lambda t, v: factor * v, optimizer="muon", metric="accuracy")
    assert verdict(claim, altered) == "fails"


def test_a_lead_that_grows_is_not_early():
    parts = [run("cifar10_r5", name, seed, *((60, 0.4) if name == "muon" else (90, 0.2)))
             for seed in range(3) for name in ("muon", *CONTROLS)]  # fmt: skip
    late = pd.concat(parts, ignore_index=True)
    assert verdict("C3.1.cifar10_r5", late) == "holds"
    assert verdict("C3.3.cifar10_r5", late) == verdict("C18.1.cifar10_r5", late) == "fails"


def test_being_earlier_on_everything_is_not_a_lead_at_equal_loss():
    """Twice as fast in all curves: ahead at every epoch, level at equal loss and equal majority."""
    parts = []
    for seed in range(3):
        for name in ("muon", *CONTROLS):
            steps = np.arange(0, 101)
            time, noise = (
                steps * (2 if name == "muon" else 1),
                np.random.default_rng([seed, len(name)]).normal(0, 0.002),
            )
            curves = {
                ("test", "majority", "accuracy"): 0.75 * (1 - np.exp(-time / 30)),
                ("test", "minority", "accuracy"): 0.4 * (1 - np.exp(-time / 90)) + noise,
                ("train", "majority", "accuracy"): 1 - np.exp(-time / 30),
                ("train", "minority", "accuracy"): 1 - np.exp(-time / 80),
                ("train", "all", "loss"): 2.5 * np.exp(-time / 60),
            }
            parts.append(rows("cifar10_r5", name, seed, steps, curves))
    fast = pd.concat(parts, ignore_index=True)
    assert verdict("C3.1.cifar10_r5", fast) == "holds"
    for control in ("A3.1", "A3.2", "A3.4", "A3.5"):
        assert verdict(f"{control}.cifar10_r5", fast) == "absent"


def test_one_record_of_the_spectrum_is_enough_to_fail():
    frame_ = of("C32.1.cifar10")
    raised = changed(frame_, lambda t, v: np.where(t == 70, 1.0, v), optimizer="muon", metric="logit_kl")
    assert verdict("C32.1.cifar10", raised) == "fails"


def test_a_clock_that_stands_still_is_read_where_nothing_is_learned_yet():
    still = changed(of("A3.1.cifar10"), lambda t, v: 2.5, optimizer="signum", metric="loss")
    found = record("A3.1.cifar10", still)
    assert (found["verdict"], found["reason"]) == ("inconclusive", "at_floor")
    low = changed(of("A3.2.cifar10"), lambda t, v: 0.5 * v, metric="accuracy", split="train", group="majority")
    assert "at 0.5, the furthest" in record("A3.2.cifar10", low)["note"] and verdict("A3.2.cifar10", low) == "holds"


def test_the_lead_must_grow_with_the_ratio():
    same = pd.concat([run(name, one, seed) for name in stated()["C20.1"].experiments
                      for seed in range(3) for one in ("muon", *CONTROLS)], ignore_index=True)  # fmt: skip
    assert verdict("C20.1", same) in ("inconclusive", "absent")  # a lead that is the same at every ratio
    found = record("C20.1", of("C20.1"))
    assert found["experiments"] == ["cifar10_r1", "cifar10_r5", "cifar10_r20"]
    for name in found["experiments"]:
        assert verdict("C20.1", of("C20.1").query(f"experiment != {name!r}")) == "not-run"
