"""Fig. 31's verdicts on made-up curves, and on altered ones."""

import numpy as np
import pandas as pd
import pytest

from .synthetic import changed, record, spectrum, stated, swapped, verdict, without

NAMES = [name for name, claim in stated().items() if claim.experiment == "logit_spectrum"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return spectrum()


def test_the_names():
    assert NAMES == ["C31.1", "C31.2", "C31.3", "A31.1", "A31.2"]


@pytest.mark.parametrize("claim", NAMES)
def test_holds(frame, claim):
    found = record(claim, frame)
    assert (found["verdict"], found["n"]) == ("holds", 5), found["note"]


@pytest.mark.parametrize("optimizer", ["ngd", "signgd"])
def test_a_spectrum_that_never_recovers_or_never_worsens_fails(frame, optimizer):
    where = {"optimizer": optimizer, "metric": "logit_kl"}
    assert verdict("C31.1", changed(frame, lambda t, v: np.where(t > 10, np.max(v), v), **where)) == "fails"
    assert verdict("C31.1", changed(frame, lambda t, v: np.minimum(v, 0.1) * (t < 150), **where)) == "fails"


@pytest.mark.parametrize("optimizer", ["ngd", "signgd"])
def test_one_step_with_a_less_even_spectrum_is_enough(frame, optimizer):
    late = changed(frame, lambda t, v: np.where(t == 200, 0.01, v), optimizer=optimizer, metric="logit_kl")
    assert verdict("C31.2", late) == "fails"
    start = changed(frame, lambda t, v: np.where(t == 0, 0.01, v), optimizer=optimizer, metric="logit_kl")
    assert verdict("C31.2", start) == "holds", "at step 0 all methods have the same weights"


@pytest.mark.parametrize("optimizer", ["ngd", "signgd"])
def test_a_control_that_is_as_early_fails(frame, optimizer):
    assert verdict("C31.3", swapped(frame, "specgd", optimizer)) == "fails"
    assert verdict("A31.2", swapped(frame, "specgd", optimizer)) == "fails"


def test_ignoring_the_majority_does_not_count(frame):
    blind = changed(frame, lambda t, v: 0.5, optimizer="specgd", metric="accuracy", group="majority")
    assert verdict("C31.3", blind) == "fails"


def test_only_the_first_tenth_is_early(frame):
    late = changed(frame, lambda t, v: np.where(t > 20, 0, v), optimizer="specgd", group="minority", metric="accuracy")
    assert verdict("C31.3", late) == "holds"
    assert verdict("A31.1", swapped(frame, "specgd", "ngd")) == "fails"


@pytest.mark.parametrize("claim", NAMES)
def test_too_few_seeds_smoke_and_missing_runs(frame, claim):
    assert verdict(claim, spectrum(2)) == "inconclusive"
    assert verdict(claim, frame, scale="smoke") == "not-run"
    assert verdict(claim, without(frame, "ngd")) == "not-run"
