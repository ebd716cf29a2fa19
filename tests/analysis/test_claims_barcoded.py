"""Fig. 30's verdicts: they hold on runs made so, and flip when the runs are altered."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.statistics.evidence import Experiment, Recorded, Run
from muon_imbalance.analysis.statistics.protocol import NoValue
from muon_imbalance.analysis.summaries import mean_curves

from .synthetic import changed, diverged, measured, record, rows, stated, swapped, verdict, without

NAMES = [name for name, claim in stated().items() if claim.experiment == "barcoded_mnist"]
MUON = ["C30.2", "C30.3", "A30.1", "A30.2"]
CLOCKS = ["A30.1", "A30.2"]
FIRST = np.log(650)
STEPS = np.arange(0, 101, 2)


def run(optimizer: str, seed: int, majority: float, minority: float) -> pd.DataFrame:
    """Losses that halve every so many steps; the minority's first rises a little."""
    high = FIRST * 0.5 ** (STEPS / majority)
    low = FIRST * (1 + 0.05 * (STEPS > 0)) * 0.5 ** (STEPS / minority)
    curves = {("train", "majority", "loss"): high, ("train", "minority", "loss"): low}
    return rows("barcoded_mnist", optimizer, seed, STEPS, curves | {("train", "all", "loss"): (high + low) / 2})


def barcoded(seeds: int = 3) -> pd.DataFrame:
    """All of C30.*, A30.* hold: GD leaves the minority at 92 %, the others halve it within 30 to 60 steps."""
    times = {"sgd": (25, 500), "adam": (26, 60), "shampoo": (26, 55), "muon": (20, 30), "muon_ns1": (22, 45),
             "muon_exact": (20, 31)}  # fmt: skip
    parts = []
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        parts += [run(name, seed, a + draw.normal(0, 0.3), b + draw.normal(0, 0.5)) for name, (a, b) in times.items()]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return barcoded()


def test_the_names():
    variants = [f"{name}@{variant}" for name in MUON for variant in ("muon_ns1", "muon_exact")]
    others = ["C30.1", "C30.2.adam", "C30.2.shampoo", "C30.3.others", "A30.1.others"]
    assert sorted(NAMES) == sorted([*MUON, *variants, *others])


@pytest.mark.parametrize("claim", NAMES)
def test_holds(frame, claim):
    found = record(claim, frame)
    assert (found["verdict"], found["n"]) == ("holds", 3), found["note"]


def scaled(frame, optimizer, group, share):
    """That group's loss ends at this share of its first value."""
    return changed(
        frame, lambda t, v: FIRST * share ** (t / 100), optimizer=optimizer, group=group, metric="loss"
    )  # fmt: skip


@pytest.mark.parametrize(("share", "expected"), [(0.81, "holds"), (0.79, "fails")])
def test_gd_must_leave_the_minority(frame, share, expected):
    assert verdict("C30.1", scaled(frame, "sgd", "minority", share)) == expected


@pytest.mark.parametrize(("share", "expected"), [(0.19, "holds"), (0.21, "fails")])
def test_gd_must_learn_the_majority(frame, share, expected):
    assert verdict("C30.1", scaled(frame, "sgd", "majority", share)) == expected


@pytest.mark.parametrize(
    ("claim", "optimizer"),
    [("C30.2", "muon"), ("C30.2.adam", "adam"), ("C30.2.shampoo", "shampoo"), ("C30.2@muon_ns1", "muon_ns1"),
     ("C30.2@muon_exact", "muon_exact")],
)  # fmt: skip
def test_both_must_fall(frame, claim, optimizer):
    assert verdict(claim, scaled(frame, optimizer, "minority", 0.79)) == "holds"
    assert verdict(claim, scaled(frame, optimizer, "minority", 0.81)) == "fails"
    assert verdict(claim, scaled(frame, optimizer, "majority", 0.21)) == "fails"
    for other in ("sgd", "adam", "shampoo", "muon", "muon_ns1", "muon_exact"):
        if other != optimizer:
            assert verdict(claim, scaled(frame, other, "minority", 1.0)) == "holds", "judged by itself"


@pytest.mark.parametrize("claim", [*MUON[1:], *[f"{name}@muon_ns1" for name in MUON[1:]]])
def test_swapping_treatment_and_control_fails(frame, claim):
    treatment = claim.partition("@")[2] or "muon"
    assert verdict(claim, swapped(frame, treatment, "sgd")) == "fails"


@pytest.mark.parametrize("claim", ["C30.3.others", "A30.1.others"])
@pytest.mark.parametrize("other", ["adam", "shampoo"])
def test_each_of_the_others_must_beat_gd(frame, claim, other):
    assert verdict(claim, swapped(frame, other, "sgd")) == "fails"


def test_a_faster_copy_of_gd_is_earlier_and_not_better(frame):
    """Muon as GD on a clock that runs twice as fast: C30.3 holds, every control on a second clock does not."""
    parts = [run("muon", seed, 12.5, 250 + delay) for seed, delay in enumerate((-9, 4, 7))]
    parts += [run("sgd", seed, 25, 500 + delay) for seed, delay in enumerate((10, -20, 6))]
    both = pd.concat([without(without(frame, "muon"), "sgd"), *parts], ignore_index=True)
    assert verdict("C30.3", both) == "holds"
    for claim in CLOCKS:
        found = record(claim, both)
        assert found["verdict"] in ("absent", "inconclusive") and abs(found["estimate"]) < 0.02, found["note"]


@pytest.mark.parametrize("claim", CLOCKS)
def test_a_slow_clock_is_compared_at_the_level_it_gets_to(frame, claim):
    late = scaled(scaled(frame, "sgd", "majority", 0.9), "sgd", "all", 0.9)
    found = record(claim, late)
    assert (found["verdict"], found["n"]) == ("fails", 3), found["note"]  # its minority has moved more by then
    assert f"at {0.9 * FIRST:.3g}, the furthest that all compared runs get to" in found["note"]


@pytest.mark.parametrize("claim", NAMES)
def test_too_few_seeds_smoke_and_missing_runs(frame, claim):
    assert record(claim, barcoded(2))["verdict"] == "inconclusive"
    assert record(claim, frame, scale="smoke")["verdict"] == "not-run"
    used = {o for check in stated()[claim].checks for names in check.comparisons() for o in names}
    for optimizer in used:
        assert verdict(claim, without(frame, optimizer)) == "not-run"
        assert verdict(claim, diverged(frame, optimizer, [0])) == "inconclusive"


# --- the statistic and the normalised curves -----------------------------------------------------------------


def test_a_share_when_the_clock_is_at_a_share_by_hand():
    """Clock 8, 10, 6, 2, first value 8: 50 % is 4, half way between 6 and 2; the curve is 3 there, of 5."""
    clock, curve = Recorded("loss", "train", "majority"), Recorded("loss", "train", "minority")
    steps = np.array([0, 1, 2, 3])
    held = {clock: (steps, np.array([8.0, 10, 6, 2])), curve: (steps, np.array([5.0, 9, 4, 2]))}
    one = Run(Experiment("x"), "sgd", 0, 0.1, held)
    shares = {
        "of": {"of": "loss of minority on train", "relative_to": "first"},
        "clock": {"of": "loss of majority on train", "relative_to": "first"},
    }
    assert measured("value_when", one, **shares, level=0.5).value == pytest.approx(0.6)
    with pytest.raises(NoValue, match=r"loss \(train, majority\) never fell to 0.2 of its first value"):
        measured("value_when", one, **shares, level=0.2)
    held[curve] = steps[:3], np.array([5.0, 9, 4])  # only records of both count
    with pytest.raises(NoValue, match="never fell to 0.5"):
        measured("value_when", one, **shares, level=0.5)


def test_over_first_divides_each_curve_of_each_run(frame):
    shuffled = frame.sample(frac=1, random_state=0)
    shares = mean_curves.over_first(shuffled)
    assert (shares.loc[shares["step"] == 0, "value"] == 1).all()
    key = (frame["optimizer"] == "muon") & (frame["seed"] == 1) & (frame["group"] == "all")
    np.testing.assert_allclose(shares["value"].reindex(frame.index)[key], frame["value"][key] / FIRST, rtol=1e-12)
