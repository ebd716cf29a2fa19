"""Fig. 2's verdicts on the diagonal iteration itself, and on altered ones."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.common.errors import UserError

from .synthetic import (
    MIXTURE,
    changed,
    closed_forms,
    components,
    population,
    population_run,
    record,
    stated,
    swapped,
    verdict,
    without,
)

NAMES = [name for name, claim in stated().items() if claim.experiment == "population_linear"]


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
@pytest.mark.parametrize("claim", NAMES)
def test_holds_at_every_scale_and_with_one_seed(claim, scale):
    found = record(claim, population(1), scale=scale)
    assert (found["verdict"], found["n"]) == ("holds", 1), found["note"]


def test_the_names():
    assert NAMES == ["C2.1", "C2.2", "C2.3", "C2.4", "C2.5", "C2.6", "A2.1"]


def test_unequal_rates_fail():
    slow = changed(population(), lambda t, v: v * 0.9, optimizer="specgd", metric="alpha", group="class_2")
    assert verdict("C2.1", slow) == "fails"
    assert verdict("C2.1", swapped(population(), "specgd", "gd")) == "fails"


@pytest.mark.parametrize("optimizer", ["gd", "ngd"])
def test_a_wrong_order_of_classes_fails(optimizer):
    turned = population()
    chosen = turned["optimizer"] == optimizer
    group = turned["group"].replace({"class_0": "class_2", "class_2": "class_0"})
    turned = turned.assign(group=turned["group"].where(~chosen, group))
    assert verdict("C2.2", turned) == "fails"


def test_unreached_targets_leave_the_order_open():
    found = record("C2.2", population(3, 600))
    assert found["verdict"] == "inconclusive"
    assert "a component never reached 0.95 of its target" in found["note"]


def test_leaving_the_path_of_gd_fails():
    assert verdict("C2.3", swapped(population(), "specgd", "ngd")) == "fails"
    bent = changed(population(), lambda t, v: v + 0.03 * (t > 50), optimizer="ngd", metric="alpha", group="class_1")
    assert verdict("C2.3", bent) == "fails"
    beyond = changed(population(), lambda t, v: v * 1.3, optimizer="ngd", metric="alpha", group="class_0")
    assert verdict("C2.3", beyond) == "fails"


@pytest.mark.parametrize("pair", [("specgd", "ngd"), ("ngd", "gd"), ("specgd", "gd")])
def test_a_wrong_order_of_losses_fails(pair):
    assert verdict("C2.4", swapped(population(), *pair)) == "fails"


@pytest.mark.parametrize("group", ["minority", "balanced"])
def test_one_step_out_of_order_fails(group):
    spike = changed(population(), lambda t, v: v + 0.2 * (t == 40), optimizer="specgd", metric="loss", group=group)
    assert verdict("C2.4", spike) == "fails"
    later = changed(population(), lambda t, v: v + 0.2 * (t > 67), optimizer="specgd", metric="loss", group=group)
    assert verdict("C2.4", later) == "holds"  # t* = r_m / eta = 66.7: afterwards nothing is claimed


def test_different_ends_fail():
    assert verdict("C2.5", population(3, 600)) == "fails"
    off = changed(
        population(), lambda t, v: v + 0.05 * (t == 2000), optimizer="specgd", metric="alpha", group="class_1"
    )
    assert verdict("C2.5", off) == "fails"


def test_a_wrong_closed_form_fails():
    theory = closed_forms()
    gd = theory.assign(value=theory["value"] + 1e-6 * (theory["curve"] == "gd"))
    assert verdict("C2.6", population(), theory=gd) == "fails"
    specgd = theory.assign(value=theory["value"] + 0.011 * (theory["curve"] == "specgd"))
    assert verdict("C2.6", population(), theory=specgd) == "fails"


def test_missing_theory_is_not_run_and_a_wrong_table_is_an_error():
    assert verdict("C2.6", population(), theory=None) == "not-run"
    theory = closed_forms()
    with pytest.raises(UserError, match="claim C2.6: theory of population_linear: gd has no alpha"):
        record("C2.6", population(), theory=theory[theory["curve"] != "gd"])
    with pytest.raises(UserError, match="closed form gd is not recorded at the steps"):
        record("C2.6", population(), theory=closed_forms(100))


def test_the_audit_of_the_conditions_is_computed():
    found = record("A2.1", None)
    assert found["verdict"] == "holds"
    assert found["estimate"] == pytest.approx(0.2 - 1 / 68)
    assert "minority prior 0.2, SNR 10, k = 3: allowed is at most 0.0147" in found["note"]
    covered = {"mixture": MIXTURE | {"p": [0.6, 0.39, 0.01], "sigma2": 1.0}}
    assert verdict("A2.1", None, settings=covered) == "fails"
    assert verdict("A2.1", None, settings=None) == "not-run"


def test_a_missing_mixture_is_an_error():
    with pytest.raises(UserError, match="claim C2.1: experiment population_linear has no key 'mixture'"):
        record("C2.1", population(), settings={"steps": 3})
    with pytest.raises(UserError, match="population_linear: mixture: .*sigma2"):
        record("A2.1", None, settings={"mixture": {k: v for k, v in MIXTURE.items() if k != "sigma2"}})


def test_every_repetition_must_satisfy_it():
    one = changed(population(), lambda t, v: v * 0.9, seeds=[1], optimizer="specgd", metric="alpha", group="class_2")
    found = record("C2.1", one)
    assert (found["verdict"], found["n"]) == ("inconclusive", 3)
    assert found["ci_low"] < 1 < found["ci_high"] == found["estimate"]
    assert "worst of all repetitions" in found["note"]


@pytest.mark.parametrize("optimizer, claim", [("gd", "C2.2"), ("ngd", "C2.3"), ("specgd", "C2.1"), ("gd", "C2.5")])
def test_a_missing_optimizer_is_not_run(optimizer, claim):
    assert verdict(claim, without(population(), optimizer)) == "not-run"


def test_the_step_size_is_that_of_the_runs():
    """A run at twice the step size follows its own line."""
    fast = population_run("specgd", 0, components("specgd", 200, lr=0.02), lr="0.02")
    assert verdict("C2.1", fast) == "holds"
    assert verdict("C2.1", fast.assign(lr="0.01")) == "fails"


def test_components_are_ordered_by_number():
    frame = population(1)
    shuffled = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    assert isinstance(shuffled, pd.DataFrame)
    np.testing.assert_equal(record("C2.1", shuffled)["estimate"], record("C2.1", frame)["estimate"])
