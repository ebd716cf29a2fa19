"""Fig. 1's verdicts: they hold on runs made so, and flip when the runs are altered."""

import numpy as np
import pandas as pd
import pytest

from .synthetic import (
    changed,
    collapsed,
    colored,
    colored_run,
    diverged,
    record,
    stated,
    swapped,
    verdict,
    without,
)

FASTER = ["C1.1", "C1.2", "A1.3", "A1.2"]
CLOCKS = ["A1.1", "A1.1.loss", "A1.1.majority", "A1.1.minority"]
ALL = [*FASTER, "C1.3", *CLOCKS]
NAMES = [name for name, claim in stated().items() if claim.experiment == "colored_mnist"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return colored()


def delayed(frame: pd.DataFrame, optimizer: str, centre: float, height: float = 0.47) -> pd.DataFrame:
    """The optimizer's minority rises at another step."""
    seeds = sorted(frame["seed"].unique())
    parts = [colored_run(optimizer, seed, centre + 0.3 * seed, height) for seed in seeds]
    return pd.concat([without(frame, optimizer), *parts], ignore_index=True)


@pytest.mark.parametrize("claim", NAMES)
def test_holds_on_runs_made_so(frame, claim):
    found = record(claim, frame)
    assert found["verdict"] == "holds", found["note"]
    assert found["n"] == 5
    assert found["ci_low"] <= found["estimate"] <= found["ci_high"]
    assert found["data_kind"] == "real"


def test_variants_are_the_announced_ones():
    assert {name for name in NAMES if "@" in name} == {f"{n}@{v}" for n in FASTER for v in ("muon_ns1", "muon_exact")}


@pytest.mark.parametrize("claim", [*FASTER, *CLOCKS])
def test_swapping_treatment_and_control_fails(frame, claim):
    assert verdict(claim, swapped(frame, "muon", "nmd")) == "fails"


@pytest.mark.parametrize("claim", FASTER)
def test_variants_are_judged_on_their_own_runs(frame, claim):
    slow = delayed(frame, "muon_ns1", 140)
    assert verdict(f"{claim}@muon_ns1", slow) == "fails"
    assert verdict(claim, slow) == verdict(f"{claim}@muon_exact", slow) == "holds"


@pytest.mark.parametrize("claim", FASTER)
def test_a_late_muon_fails(frame, claim):
    assert verdict(claim, delayed(frame, "muon", 145)) == "fails"


@pytest.mark.parametrize("claim", [*FASTER, "C1.3"])
def test_a_collapsed_muon_fails(frame, claim):
    """It has 50 % on the minority at every step, more than any working method early on."""
    assert verdict(claim, collapsed(frame, "muon")) == "fails"


def test_a_collapsed_control_does_not_beat_muon(frame):
    altered = collapsed(frame, "nmd")
    assert [verdict(claim, altered) for claim in FASTER] == ["holds"] * 4
    assert verdict("C1.3", altered) == "fails"  # its majority never reaches 90 %
    assert "at 0.69, the furthest" in record("A1.1", altered)["note"]  # where its loss is all the time
    assert verdict("A1.1.majority", altered) != "holds"  # the level is that of one class, where nothing is learned


@pytest.mark.parametrize("claim", FASTER)
def test_equal_methods_are_inconclusive(claim):
    frame = colored()
    rng = np.random.default_rng(1)
    parts = [
        colored_run(name, seed, 60 + rng.normal(0, 6), 0.5) for name in ("muon", "nmd", "signum") for seed in range(5)
    ]
    same = pd.concat([frame[frame["optimizer"].isin(["muon_ns1", "muon_exact"])], *parts], ignore_index=True)
    assert verdict(claim, same) == "inconclusive"


def test_censored_controls_make_a_lower_bound(frame):
    never = delayed(frame, "signum", 400)
    found = record("C1.2", never)
    assert found["verdict"] == "holds"
    assert found["note"].startswith("nmd minus muon")  # the binding comparison is the other, closer one
    assert "signum did not get there in 5 of 5 runs, which count with the horizon" in found["note"]
    both = delayed(never, "nmd", 400)
    found = record("C1.2", both)
    assert found["verdict"] == "holds"
    assert found["estimate"] < 160
    assert "did not get there in 5 of 5 runs" in found["note"]


def test_a_single_censored_muon_run_forbids_holds(frame):
    late = delayed(delayed(frame, "nmd", 400), "signum", 400)
    assert verdict("C1.2", late) == "holds"
    stuck = changed(
        late,
        lambda t, v: np.minimum(v, 0.15),
        seeds=[3],
        optimizer="muon",
        metric="accuracy",
        group="minority",
    )
    found = record("C1.2", stuck)
    assert found["ci_low"] > 0  # the interval alone would say holds
    assert found["verdict"] == "inconclusive"
    assert "muon did not get there in 1 of 5 runs" in found["note"]


def test_a_censored_control_forbids_fails():
    """All that is known of the control is a lower bound, so Muon cannot be called slower."""
    parts = [colored_run("muon", seed, 150, 0.5) for seed in range(5)]
    parts += [colored_run(name, seed, 100, 0.5) for name in ("nmd", "signum") for seed in range(4)]
    parts += [colored_run(name, 4, 400, 0.5) for name in ("nmd", "signum")]
    found = record("C1.2", pd.concat(parts, ignore_index=True))
    assert found["estimate"] < 0
    assert found["verdict"] == "inconclusive"


def test_majority_must_be_early_and_minority_much_later(frame):
    late = changed(
        frame, lambda t, v: np.where(t < 30, 0.5, 1), optimizer="signum", metric="accuracy", group="majority"
    )
    assert verdict("C1.3", late) == "fails"
    assert verdict("C1.3", delayed(frame, "nmd", 22)) == "fails"
    assert verdict("C1.3", delayed(frame, "nmd", 400)) == "holds"  # never: the ratio is a lower bound
    assert verdict("C1.3", delayed(frame, "muon", 400)) == "holds"  # says nothing of Muon's minority


def test_a_control_that_hardly_fits_the_minority_is_compared_at_its_own_furthest_level(frame):
    found = record("A1.1", delayed(frame, "nmd", 158))
    assert (found["verdict"], found["n"]) == ("holds", 5)
    level = 4 * (1 - 1 / (1 + np.exp(-(160 - 159.2) / 5)))  # seed 4, at the end
    assert f"loss (train, minority) at {level:.3g}, the furthest that all compared runs get to" in found["note"]


@pytest.mark.parametrize("claim", ALL)
def test_two_seeds_are_too_few(claim):
    found = record(claim, colored(2))
    assert (found["verdict"], found["n"]) == ("inconclusive", 2)
    assert "2 usable repetitions, 3 needed" in found["note"] and found["reason"] == "too_few_seeds"


@pytest.mark.parametrize("claim", ALL)
def test_one_seed_has_no_interval(claim):
    found = record(claim, colored(1))
    assert (found["verdict"], found["ci_low"], found["ci_high"]) == ("inconclusive", None, None)
    assert found["estimate"] is not None


@pytest.mark.parametrize("claim", ALL)
def test_diverged_runs_are_left_out_and_said(frame, claim):
    one = record(claim, diverged(frame, "muon", [2]))
    assert (one["verdict"], one["n"]) == ("holds", 4) or claim == "C1.3"
    three = record(claim, diverged(frame, "muon", [0, 2, 4]))
    assert (three["verdict"], three["n"]) == ("inconclusive", 2)
    assert "muon diverged with seed 0, 2, 4 (left out)" in three["note"]


def test_values_that_are_not_finite_are_left_out(frame):
    holes = changed(
        frame,
        lambda t, v: np.where(t == 50, np.nan, v),
        seeds=[1],
        optimizer="nmd",
        metric="accuracy",
        group="minority",
    )
    found = record("C1.1", holes)
    assert found["verdict"] == "holds"
    nmd_only = record("C1.1", without(holes, "signum"))
    assert nmd_only["verdict"] == "not-run"
    all_holes = changed(
        frame, lambda t, v: np.where(t == 50, np.nan, v), optimizer="nmd", metric="accuracy", group="minority"
    )
    found = record("C1.1", all_holes)
    assert (found["verdict"], found["n"]) == ("inconclusive", 0)
    assert "not finite" in found["note"]


def test_unpaired_seeds_are_left_out(frame):
    odd = frame[~((frame["optimizer"] == "nmd") & (frame["seed"] == 1))]
    odd = odd[~((odd["optimizer"] == "signum") & (odd["seed"] == 1))]
    found = record("A1.2", odd)
    assert found["n"] == 4
    assert "seed 1 was not run with both (left out)" in found["note"]


def test_runs_of_different_length_are_not_compared(frame):
    found = record("A1.2", frame[(frame["optimizer"] != "muon") | (frame["step"] <= 100)])
    assert (found["verdict"], found["n"]) == ("inconclusive", 0)
    assert "end at different steps" in found["note"]


@pytest.mark.parametrize("claim", ALL)
def test_a_missing_optimizer_is_not_run(frame, claim):
    found = record(claim, without(frame, "signum"))
    assert (found["verdict"], found["n"], found["estimate"]) == ("not-run", 0, None)
    assert "no runs of signum on colored_mnist" in found["note"]


def test_failing_outweighs_not_run(frame):
    assert verdict("C1.1", without(delayed(frame, "muon", 145), "signum")) == "fails"


def test_a_missing_variant_leaves_the_primary_claim_alone(frame):
    less = without(frame, "muon_ns1")
    assert verdict("C1.1@muon_ns1", less) == "not-run"
    assert verdict("C1.1", less) == "holds"


@pytest.mark.parametrize("claim", NAMES)
def test_not_judged_at_smoke_scale(frame, claim):
    found = record(claim, frame, scale="smoke")
    assert (found["verdict"], found["estimate"]) == ("not-run", None)
    assert "smoke" in found["note"]


def test_not_run_without_runs_or_figure(frame):
    assert verdict("C1.1", None) == "not-run"
    assert verdict("C1.1", frame, figures=["fig_04"]) == "not-run"
    assert verdict("C1.1", frame, figures={"fig_01": {}}) == "holds"


def test_grid_rows_do_not_count(frame):
    grid = swapped(frame, "muon", "nmd").assign(phase="grid")
    assert verdict("C1.1", pd.concat([frame, grid], ignore_index=True)) == "holds"
    assert verdict("C1.1", grid) == "not-run"


def test_the_note_is_a_sentence(frame):
    note = record("C1.1", frame)["note"]
    assert note.startswith("muon minus ")
    assert "95 % interval" in note
    assert "needed > 0; all of 2 comparisons hold." in note
