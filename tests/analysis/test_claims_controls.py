"""Verdicts of Figs S8 to S10: they hold on runs made so, and flip when the runs are altered."""

import functools

import numpy as np
import pandas as pd
import pytest

from .group_runs import accuracies
from .synthetic import changed, diverged, record, rows, stated, swapped, verdict, without

NAMES = [name for name, claim in stated().items() if claim.figure in ("fig_s8", "fig_s9", "fig_s10")]
STRENGTHS = ("strength_900", "strength_950", "strength_980", "strength_990", "strength_995")
DOSES = {"power_1": 0.2, "muon_first": 0.26, "muon_hidden": 0.27, "muon_last": 0.28, "row_normalised": 0.3,
         "power_05": 0.31, "random_spectrum": 0.36, "power_0": 0.42}  # fmt: skip
SWAPPED = {"A.dose.flat": ("power_0", "random_spectrum"), "A.dose.cifar_flat": ("power_0", "random_spectrum"),
           "A.dose.rows": ("power_0", "row_normalised"), "A.dose.random": ("random_spectrum", "power_1")}  # fmt: skip
"""Others of Fig. S8: by the names, with q = 1 in place of q = 0 or of the layers' Muon."""


def runs(experiment: str, shapes: dict[str, tuple[float, float]], steps=None, noise: float = 0.003) -> pd.DataFrame:
    """Three runs of each optimizer, ``(centre, height)`` of its minority accuracy."""
    steps, parts = np.arange(0, 129, 4) if steps is None else steps, []
    for seed in range(3):
        for name, (centre, height) in shapes.items():
            shift = noise * np.random.default_rng([seed, *name.encode()]).normal()
            parts.append(rows(experiment, name, seed, steps, accuracies(steps, centre, height + shift)))
    return pd.concat(parts, ignore_index=True)


@functools.cache
def frame() -> pd.DataFrame:
    """All of A.dose.*, A.layer.*, A.strength.*, A.horizon.* hold."""
    parts = [runs(name, {one: (60, height) for one, height in DOSES.items()})
             for name in ("spectral_dose_mnist", "spectral_dose_cifar")]  # fmt: skip
    for rarer, name in enumerate(STRENGTHS):
        controls = {one: (70, 0.25) for one in ("sgd", "nmd", "adam")}
        parts.append(runs(name, {"muon": (50, 0.28 + 0.05 * rarer), **controls}))
    late = {"muon": (40, 0.5), "nmd": (400, 0.42), "signum": (420, 0.42)}
    parts.append(runs("long_horizon", late, np.arange(0, 1025, 16)))
    return pd.concat(parts, ignore_index=True)


def of(claim: str) -> pd.DataFrame:
    made = frame()
    return made[made["experiment"].isin(stated()[claim].experiments)].reset_index(drop=True)


def pair(claim: str) -> tuple[str, str]:
    """What is exchanged so that the claim fails."""
    if claim.startswith("A.layer"):
        return f"muon_{claim.rpartition('.')[2]}", "power_1"
    if claim.startswith("A.dose"):
        return SWAPPED.get(claim, ("power_0", "power_1"))
    return "muon", "nmd" if claim.startswith("A.horizon") else "sgd"


def test_the_names():
    assert len(NAMES) == 19 and all(stated()[name].kind == "control" for name in NAMES)
    assert set(stated()["A.strength.trend"].experiments) == set(STRENGTHS)


@pytest.mark.parametrize("claim", NAMES)
def test_holds_on_runs_made_so(claim):
    found = record(claim, of(claim))
    assert (found["verdict"], found["n"]) == ("holds", 3), found["note"]
    assert record(claim, of(claim).query("seed < 2"))["verdict"] == "inconclusive"
    assert verdict(claim, of(claim), scale="smoke") == verdict(claim, None) == "not-run"


@pytest.mark.parametrize("claim", NAMES)
def test_swapping_treatment_and_control_fails(claim):
    treatment, control = pair(claim)
    assert verdict(claim, swapped(of(claim), treatment, control)) == "fails"
    assert verdict(claim, without(of(claim), control)) == "not-run"
    assert verdict(claim, diverged(of(claim), treatment, [0])) == "inconclusive"


def test_every_step_towards_a_flat_spectrum_counts():
    for claim in ("A.dose.mnist", "A.dose.cifar"):
        for one, other in (("power_0", "power_05"), ("power_05", "power_1")):
            assert verdict(claim, swapped(of(claim), one, other)) == "fails"


def test_a_flat_spectrum_that_is_only_faster_is_not_better():
    shapes = {"power_0": 30, "power_05": 50, "power_1": 80}
    faster = runs("spectral_dose_mnist", {name: (centre, 0.4) for name, centre in shapes.items()}, noise=0.0005)
    assert verdict("A.dose.mnist", faster) == "holds" and verdict("A.dose.equal", faster) == "absent"


@pytest.mark.parametrize("claim", ["A.dose.flat", "A.dose.cifar_flat"])
def test_a_random_spectrum_that_is_as_good_is_found(claim):
    name = stated()[claim].experiment
    alike = runs(name, {one: (60, 0.4) for one in ("power_0", "random_spectrum")}, noise=0.0005)
    assert verdict(claim, alike) == "absent"


@pytest.mark.parametrize("claim", ["A.strength.trend", "A.strength.trend_equal"])
def test_the_lead_must_grow_with_the_strength(claim):
    controls = {one: (70, 0.25) for one in ("sgd", "nmd", "adam")}
    same = pd.concat([runs(name, {"muon": (50, 0.4), **controls}, noise=0.0005) for name in STRENGTHS])
    assert verdict(claim, same) == "absent"
    for name in STRENGTHS:
        assert verdict(claim, of(claim).query(f"experiment != {name!r}")) == "not-run"
    for control in ("nmd", "adam"):
        assert verdict(claim, swapped(of(claim), "muon", control)) == "fails"


def test_the_weights_are_those_of_a_straight_line():
    shares = np.log(1 / np.array([0.1, 0.05, 0.02, 0.01, 0.005]))
    centred = shares - shares.mean()
    slope = centred / (centred**2).sum() * np.ptp(shares)
    stated_weights = stated()["A.strength.trend"].contrast
    assert [stated_weights[name] for name in STRENGTHS] == pytest.approx(slope, abs=1e-4)


def test_controls_that_catch_up_at_last():
    level = changed(of("A.horizon.end"), lambda t, v: np.where(t > 700, 0.5, v), group="minority", split="test")
    assert verdict("A.horizon.end", level) == "absent"
    assert verdict("A.horizon.shrinks", level) == verdict("A.horizon.times", level) == "holds"
