"""Fig. 4's verdicts, with the paper's stopping rule."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.common.errors import UserError

from .synthetic import changed, diverged, record, rows, softmax, stated, swapped, verdict, without

NAMES = [name for name, claim in stated().items() if claim.experiment == "linear_softmax"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return softmax()


def never_stopping(frame: pd.DataFrame, seeds: list[int] | None = None) -> pd.DataFrame:
    """SpecGD's gradient stays large, so the last record counts."""
    return changed(frame, lambda t, v: 1.0, seeds, optimizer="specgd", metric="grad_norm")


@pytest.mark.parametrize("claim", NAMES)
def test_holds_up_to_the_stopping_step(frame, claim):
    found = record(claim, frame)
    assert (found["verdict"], found["n"]) == ("holds", 5), found["note"]


def test_the_names():
    assert NAMES == ["C4.1", "C4.2", "C4.3", "C4.4"]


@pytest.mark.parametrize("claim", NAMES)
def test_rows_after_the_stopping_step_do_not_count(frame, claim):
    """Without the stop the rubbish after step 400 decides."""
    assert verdict(claim, never_stopping(frame)) == "fails"


def test_only_the_stop_of_the_named_optimizer_counts(frame):
    early = changed(frame, lambda t, v: np.where(t >= 20, 1e-9, v), optimizer="ngd", metric="grad_norm")
    assert verdict("C4.1", early) == "holds"
    early = changed(frame, lambda t, v: np.where(t >= 20, 1e-9, v), optimizer="specgd", metric="grad_norm")
    assert verdict("C4.1", early) == "fails"  # stopped at step 20, before the loss was small


def test_the_stop_is_that_of_the_seed(frame):
    one = never_stopping(frame, seeds=[0])
    found = record("C4.1", one)
    assert (found["verdict"], found["n"]) == ("inconclusive", 5)


@pytest.mark.parametrize("optimizer", ["ngd", "signgd", "specgd"])
def test_a_loss_that_stays_fails(frame, optimizer):
    kept = changed(frame, lambda t, v: np.maximum(v, 0.05 * 3), optimizer=optimizer, metric="loss")
    assert verdict("C4.1", kept) == "fails"


@pytest.mark.parametrize("pair", [("ngd", "signgd"), ("ngd", "specgd"), ("signgd", "specgd")])
def test_margins_of_the_wrong_optimizer_fail(frame, pair):
    assert verdict("C4.2", swapped(frame, *pair)) == "fails"


@pytest.mark.parametrize("pair", [("ngd", "signgd"), ("ngd", "specgd"), ("signgd", "specgd")])
def test_a_wrong_order_of_best_accuracies_fails(frame, pair):
    assert verdict("C4.3", swapped(frame, *pair)) == "fails"


def test_a_late_maximum_fails(frame):
    late = changed(
        frame, lambda t, v: 0.97 - abs(t - 300) / 1e4, optimizer="specgd", group="balanced", metric="accuracy"
    )
    found = record("C4.3", late)
    assert found["verdict"] == "fails"
    assert "step of the best" in found["note"]


def test_a_worse_worst_class_fails(frame):
    worse = changed(frame, lambda t, v: v - 0.2, optimizer="specgd", group="worst", metric="accuracy")
    assert verdict("C4.3", worse) == "fails"


def test_an_advantage_that_lasts_fails(frame):
    lasting = changed(frame, lambda t, v: v + 0.03, optimizer="specgd", group="balanced", metric="accuracy")
    assert verdict("C4.4", lasting) == "fails"


def test_noise_is_inconclusive(frame):
    rng = np.random.default_rng(0)
    noisy = frame.copy()
    for seed in range(5):
        noisy = changed(
            noisy,
            lambda t, v: v + rng.normal(0, 0.1),
            [seed],
            optimizer="specgd",
            group="balanced",
            metric="accuracy",
        )
    assert verdict("C4.3", noisy) == verdict("C4.4", noisy) == "inconclusive"


@pytest.mark.parametrize("claim", NAMES)
def test_two_seeds_are_too_few_and_smoke_is_no_scale(claim):
    assert verdict(claim, softmax(2)) == "inconclusive"
    assert verdict(claim, softmax(), scale="smoke") == "not-run"
    assert verdict(claim, softmax(), scale="paper") == "holds"


@pytest.mark.parametrize("claim", NAMES)
def test_twenty_seeds_are_bootstrapped(claim):
    found = record(claim, softmax(12))
    assert (found["verdict"], found["n"]) == ("holds", 12)


def test_a_diverged_stopping_optimizer_drops_the_seed_for_all(frame):
    found = record("C4.1", diverged(frame, "specgd", [1, 2]))
    assert (found["verdict"], found["n"]) == ("holds", 3)


def test_without_the_stopping_optimizer_nothing_is_run(frame):
    found = record("C4.1", without(frame, "specgd"))
    assert found["verdict"] == "not-run"
    assert "no runs of specgd" in found["note"]


def test_a_curve_nobody_recorded_is_an_error(frame):
    with pytest.raises(UserError, match=r"claim C4.3: .*has no accuracy \(test, balanced\); recorded are"):
        record("C4.3", frame[frame["group"] != "balanced"])


def test_two_runs_of_one_seed_are_an_error(frame):
    again = rows("linear_softmax", "specgd", 0, np.arange(2), {("train", "all", "loss"): np.ones(2)})
    with pytest.raises(UserError, match="specgd has several final runs of one seed"):
        record("C4.1", pd.concat([frame, again], ignore_index=True))
