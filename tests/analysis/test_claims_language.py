"""Verdicts of Figs 9, 25, 26 and 28: they hold on runs made so and flip when these are altered; their statistics."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.statistics.evidence import Experiment, Recorded, Run
from muon_imbalance.analysis.statistics.protocol import NoValue
from muon_imbalance.analysis.summaries import language_summary
from muon_imbalance.common.errors import UserError

from .synthetic import changed, diverged, measured, record, rows, stated, swapped, verdict, without

EXPERIMENTS = ("stories", "toystories", "stories_sweep", "stories_additions")
NAMES = [name for name, claim in stated().items() if claim.experiment in EXPERIMENTS]
VARIED = ("C9.1", "C9.1.frequent", "C9.2")
STEPS = 100 * np.arange(13)
USED = {
    "stories": ("accuracy", "top5", "loss"),
    "toystories": ("accuracy", "ceiling_share", "loss"),
    "stories_sweep": ("loss",),
    "stories_additions": ("exact_match", "accuracy"),
}
SPEED = {"sgd": 0.5, "adam": 0.7, "muon": 1.0, "muon_all": 0.9}
BALANCE = {"sgd": 0.1, "adam": 0.3, "muon": 1.0, "muon_all": 0.8}
TRAINED = {"stories": (*SPEED,), "stories_sweep": (*SPEED,)}
"""Optimizers; elsewhere without Muon on all matrices."""


def curves(
    experiment: str, optimizer: str, noise: float, speed: float | None = None, balance: float | None = None
) -> dict:
    """All curves of one run; ``u`` is progress, ``v`` what rarer tokens have of it; Muon's loss drops at epoch 4."""
    t = STEPS / 100
    u = 1 - np.exp(-(speed or SPEED[optimizer]) * t / 4)
    v = u * ((balance or BALANCE[optimizer]) + noise)
    sudden = 0.8 * (t >= 4) * (optimizer == "muon")
    found = {
        ("frequent", "accuracy"): 0.25 * u,
        ("frequent", "top5"): 0.5 * u,
        ("rare", "accuracy"): 0.1 * v,
        ("rare", "top5"): 0.3 * v,
        ("middle", "accuracy"): 0.15 * v,
        ("lower_half", "accuracy"): 0.15 * v,
        ("frequent", "ceiling_share"): 0.99 * u,
        ("rare", "ceiling_share"): 0.8 * v,
        ("middle", "ceiling_share"): 0.9 * v,
        ("all", "loss"): 7 - 3 * u - sudden + noise,
        ("frequent", "loss"): 6 - 3 * u,
        ("rare", "loss"): 8 - 3 * v,
        ("all", "accuracy"): 0.2 * u,
    }
    power = {"sgd": 6, "adam": 1.2}.get(optimizer, 1.1)
    known = (1 - np.exp(-t / 4)) ** power * (0.5 if optimizer == "sgd" else 0.8) + noise * (t > 0)
    found |= {("additions", "exact_match"): known, ("additions", "accuracy"): known}
    used = USED[experiment]
    kept = {("validation", group, metric): values for (group, metric), values in found.items() if metric in used}
    if experiment in ("stories", "toystories"):
        kept["train", "frequent", "accuracy"] = 0.3 * u
        kept["train", "rare", "accuracy"] = (0.2 if optimizer == "muon" else 0.4) * v
        kept["train", "all", "loss"] = 7 - 3 * u
    return kept


def language(seeds: int = 3) -> pd.DataFrame:
    """All claims hold."""
    parts = []
    for experiment in EXPERIMENTS:
        for seed in range(seeds):
            draw = np.random.default_rng(seed)
            for name in TRAINED.get(experiment, ("sgd", "adam", "muon")):
                parts.append(rows(experiment, name, seed, STEPS, curves(experiment, name, draw.normal(0, 0.004))))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return language()


def of(frame: pd.DataFrame, claim: str) -> pd.DataFrame:
    return frame[frame["experiment"] == stated()[claim].experiment]


def test_the_names():
    assert [name for name in NAMES if "@" in name] == [f"{name}@muon_all" for name in VARIED]
    assert len(NAMES) == 28 and {stated()[name].figure for name in NAMES} == {"fig_09", "fig_25", "fig_26", "fig_28"}


@pytest.mark.parametrize("claim", NAMES)
def test_holds(frame, claim):
    found = record(claim, of(frame, claim))
    assert (found["verdict"], found["n"]) == ("holds", 3), found["note"]


COMPARED = [name for name in NAMES if name not in ("C26.1", "C28.3")]


@pytest.mark.parametrize("claim", COMPARED)
def test_swapping_treatment_and_control_fails(frame, claim):
    treatment = "adam" if claim.endswith("adam") else claim.partition("@")[2] or "muon"
    assert verdict(claim, swapped(of(frame, claim), treatment, "sgd")) == "fails"


@pytest.mark.parametrize("claim", VARIED)
def test_muon_on_all_matrices_is_judged_on_its_own_runs(frame, claim):
    own, variant = of(frame, claim), f"{claim}@muon_all"
    assert record(variant, own)["variant"] == "muon_all"
    slow = swapped(own, "muon_all", "sgd").query("optimizer != 'sgd'")
    slow = pd.concat([slow, own.query("optimizer == 'sgd'")])
    assert verdict(claim, slow) == "holds" and verdict(variant, slow) != "holds"
    assert verdict(variant, without(own, "muon")) == "holds" == verdict(claim, without(own, "muon_all"))
    assert verdict(variant, without(own, "muon_all")) == "not-run"


@pytest.mark.parametrize("claim", ["C9.1", "A9.1.toystories", "A25.1", "C26.1", "C28.3"])
def test_too_few_seeds_smoke_and_missing_runs(frame, claim):
    own = of(frame, claim)
    assert record(claim, own[own["seed"] < 2])["verdict"] == "inconclusive"
    assert record(claim, own, scale="smoke")["verdict"] == "not-run"
    for optimizer in {o for check in stated()[claim].checks for names in check.comparisons() for o in names}:
        assert verdict(claim, without(own, optimizer)) == "not-run"
        assert verdict(claim, diverged(own, optimizer, [0])) == "inconclusive"


@pytest.mark.parametrize("claim", ["A9.1", "A9.1.lower_half", "A26.1", "A9.1.toystories"])
def test_a_faster_copy_is_earlier_and_not_better(claim):
    """Muon as SGD on a faster clock: C9.1 holds, the controls at equal progress on frequent tokens do not."""
    experiment, parts = stated()[claim].experiment, []
    for seed, noise in enumerate((-0.002, 0.0005, 0.0015)):
        for name, speed in (("sgd", 0.5), ("adam", 0.5), ("muon", 1.0)):
            extra = noise if name == "muon" else 0.0
            parts.append(rows(experiment, name, seed, STEPS, curves(experiment, name, extra, speed, 0.3)))
    both = pd.concat(parts, ignore_index=True)
    found = record(claim, both)
    assert found["verdict"] == "absent" and abs(found["estimate"]) < 0.001, found["note"]
    earlier = "C9.1" if experiment == "stories" else "C9.1.toystories"
    assert verdict(earlier, both) == "holds"


def test_a_steady_loss_has_no_sudden_drop(frame):
    own = of(frame, "C26.1")
    steady = changed(own, lambda t, v: 7 - t / 400, optimizer="muon", group="all", metric="loss")
    assert verdict("C26.1", steady) == "fails"
    early = changed(own, lambda t, v: 7 - t / 400 - 2 * (t > 0), optimizer="muon", group="all", metric="loss")
    assert verdict("C26.1", early) == "fails", "before the window it does not count"


@pytest.mark.parametrize(("shift", "expected"), [(-0.03, "holds"), (-0.2, "fails"), (0.2, "fails")])
def test_adam_must_be_near_muon_on_additions(frame, shift, expected):
    own = of(frame, "C28.3")
    moved = changed(own, lambda t, v: v + shift, optimizer="adam", metric="exact_match")
    assert verdict("C28.3", moved) == expected


def test_additions_that_nobody_solves_are_no_verdict_on_progress(frame):
    own = changed(of(frame, "C28.2"), lambda t, v: 0 * t, metric="exact_match")
    found = record("C28.2", own)
    assert (found["verdict"], found["n"]) == ("inconclusive", 0) and "is 0 at the end" in found["note"]
    none = record("C28.1", own)
    assert (none["verdict"], none["reason"]) == ("inconclusive", "at_floor")


# --- the statistics, by hand ------------------------------------------------------------------------------------


LOSS, RARE = "loss on validation", "accuracy of rare on validation"


def one(**values) -> Run:
    names = {"loss": Recorded("loss", "validation"), "rare": Recorded("accuracy", "validation", "rare")}
    held = {names[key]: (np.arange(len(value)), np.array(value, float)) for key, value in values.items()}
    return Run(Experiment("x"), "muon", 0, 0.1, held)


def test_area_and_last_difference():
    run = one(loss=[9, 4, 2, 6, 4], rare=[0, 1, 2, 3, 5])
    assert measured("area", run, of=LOSS).value == 4
    assert measured("area", run, of=LOSS, window="early").value == 3
    assert measured("area", run, of=LOSS, gate=f"{RARE} >= 3").value == 2.5
    assert measured("last", run, of={"difference": [LOSS, RARE]}).value == -1


def test_catch_up_is_interpolated_and_a_bound_if_never():
    slow, fast = one(loss=[8, 7, 6, 5, 4]), one(loss=[8, 5, 3, 3, 3])
    assert measured("catch_up", fast, slow, of=LOSS).value == pytest.approx(1.5 / 4)
    never = measured("catch_up", slow, fast, of=LOSS)
    assert (never.value, never.censored) == (5 / 4, True)
    assert measured("catch_up", slow, slow, of=LOSS).value == 1


def test_largest_drop():
    run = one(loss=[10, 9, 8, 4, 3, 2, 1])
    assert measured("largest_drop", run, of=LOSS).value == 4
    assert measured("largest_drop", run, of=LOSS, window="after 1/2").value == 1
    with pytest.raises(NoValue, match="fewer than three records there"):
        measured("largest_drop", run, of=LOSS, window="after 0.9")
    with pytest.raises(NoValue, match="does not fall there"):
        measured("largest_drop", one(loss=[1, 2, 3, 4, 5]), of=LOSS)


def test_distance_between_shares_of_what_is_learned():
    together = {"distance": [{"of": curve, "relative_to": "last"} for curve in (LOSS, RARE)]}
    assert measured("area", one(loss=[0, 2, 4], rare=[0, 0, 3]), of=together).value == pytest.approx((0.5 + 0) / 2)
    with pytest.raises(NoValue, match=r"accuracy \(validation, rare\) is 0 at the end"):
        measured("area", one(loss=[0, 2, 4], rare=[0, 1, 0]), of=together)
    with pytest.raises(UserError, match="not recorded at the same steps"):
        measured("area", one(loss=[1, 1, 1], rare=[1, 1]), of=together)


def test_curves_by_epoch(frame):
    own = frame.assign(epoch=frame["step"] / 100)
    found = language_summary.by_epoch(own, "stories", [("rare", "accuracy"), ("frequent", "accuracy")])
    assert set(found["experiment"]) == {"stories"} and (found["n"] == 3).all()
    rare = language_summary.pick(found, "muon", "rare", "accuracy")
    assert rare["epoch"].tolist() == list(range(13))
    pair = language_summary.against(found, "muon", ("frequent", "accuracy"), ("rare", "accuracy"))
    assert pair["epoch"].tolist() == list(range(1, 13)) and np.allclose(pair["y"], rare["mean"].iloc[1:])
    counted = pd.concat([own, own[own["metric"] == "accuracy"].assign(metric="tokens", value=7.0)])
    assert language_summary.tokens(counted, "stories") == {
        "additions": 7, "all": 7, "frequent": 7, "lower_half": 7, "middle": 7, "rare": 7,
    }  # fmt: skip
