"""Fig. 27's verdicts on made-up curves, and on altered ones; its statistics and summaries against plain numbers."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.analysis.statistics.protocol import NoValue
from muon_imbalance.analysis.summaries import concept_summary
from muon_imbalance.common.errors import UserError
from muon_imbalance.data.tables import concepts, organisms

from .synthetic import changed, measured, record, rows, stated, swapped, verdict, without

NAMES = [name for name, claim in stated().items() if claim.experiment == "organisms"]
STEPS = np.array([*range(32), *range(32, 401, 8)])
SIZES = np.array([1.034, 0.921, 0.707, 0.707, 0.707])
RANKS = ("1", "2", "3a", "3b", "3c")
CENTRES = {"gd": (100, 120, 148), "muon_ns1": (90, 89, 88), "muon": (92, 89, 86)}
DELAY = {"gd": (10, 30), "muon_ns1": (5, 4), "muon": (4, 5), "muon_exact": (4, 5)}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def organism_run(optimizer: str, seed: int) -> pd.DataFrame:
    """The exact polar factor: projections rise at one rate to their size; the others: shares about their centres."""
    shift = np.random.default_rng(seed).normal(0, 0.01)
    if optimizer == "muon_exact":
        shares = np.minimum(0.004 * (1 + shift) * STEPS[:, None] / SIZES, 1)
        middle = 110
    else:
        first, second, fine = CENTRES[optimizer]
        shares = sigmoid((STEPS[:, None] / (1 + shift) - np.array([first, second, fine, fine, fine])) / 8)
        middle = 0.3 * first + 0.7 * second if optimizer == "gd" else second
    curves = {("train", "all", "excess_loss"): 1.3 * sigmoid((middle - STEPS) / 12)}
    for i, rank in enumerate(RANKS):
        curves["train", f"mode_{rank}", "component"] = shares[:, i]
        curves["train", f"mode_{rank}", "strength"] = shares[:, i] * SIZES[i]
        curves["train", f"level_{rank}", "distinction"] = shares[:, i]
    coarse, fine = DELAY[optimizer]
    for level, start in ((1, coarse), (2, (coarse + fine) / 2), (3, fine)):
        curves["train", f"level_{level}", "recall"] = np.clip(STEPS / (start + seed % 3), 0, 1)
    return rows("organisms", optimizer, seed, STEPS, curves)


def made(seeds: int = 5) -> pd.DataFrame:
    return pd.concat([organism_run(name, seed) for name in DELAY for seed in range(seeds)], ignore_index=True)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return made()


def test_the_names():
    three = ("", "@muon", "@muon_exact")
    assert NAMES == [
        "C27.1", "C27.1.levels", "C27.1.confusion",
        *(f"C27.2{part}{version}" for part in ("", ".levels", ".confusion") for version in three),
        "C27.3", "C27.3@muon_ns1", "C27.3@muon_exact", *(f"A27.1{version}" for version in three), "A27.2", "A27.3",
    ]  # fmt: skip


@pytest.mark.parametrize("claim", NAMES)
def test_holds(frame, claim):
    found = record(claim, frame)
    assert (found["verdict"], found["n"]) == ("holds", 5), found["note"]


@pytest.mark.parametrize("claim", [name for name in NAMES if not name.startswith(("C27.3", "A27.2", "A27.3"))])
def test_exchanged_optimizers_fail(frame, claim):
    treatment = claim.partition("@")[2] or "muon_ns1"
    assert verdict(claim, swapped(frame, "gd", treatment)) == "fails"


def test_order_is_judged_for_every_component(frame):
    """One fine component ahead of the second is enough, at each clock."""
    late = changed(frame, lambda t, v: sigmoid((t - 110) / 8), optimizer="gd", group="mode_3b", metric="component")
    assert verdict("C27.1", late) == "fails" and verdict("C27.1.levels", late) == "holds"
    early = changed(frame, lambda t, v: sigmoid((t - 90) / 8), optimizer="gd", group="level_3c", metric="distinction")
    assert verdict("C27.1.levels", early) == "fails" and verdict("C27.1", early) == "holds"
    middle = changed(frame, lambda t, v: sigmoid((t - 10) / 8), optimizer="gd", group="level_2", metric="distinction")
    assert verdict("C27.1.levels", middle) == "holds", "coarse against fine is what is claimed"


def test_rates_that_differ_by_more_than_the_level_fail(frame):
    slow = {"optimizer": "muon_ns1", "group": "mode_3a", "metric": "component"}
    assert verdict("C27.2", changed(frame, lambda t, v: sigmoid((t - 140) / 8), **slow)) == "fails"
    never = changed(frame, lambda t, v: 0.1 * v, **slow)
    assert verdict("C27.2", never) == "fails", "a lower bound of the ratio is enough to fail"
    assert verdict("A27.1", never) == "fails"
    assert verdict("C27.2", changed(frame, lambda t, v: 0.1 * v, **slow | {"optimizer": "gd"})) == "holds"


def test_what_is_left_at_the_end(frame):
    for optimizer, failing in (("gd", "C27.3"), ("muon", "C27.3"), ("muon_exact", "C27.3@muon_exact")):
        short = changed(frame, lambda t, v: 0.96 * v, optimizer=optimizer, group="mode_3c", metric="component")
        assert verdict(failing, short) == "fails"
    assert verdict("C27.3", short) == "holds"


def test_audits(frame):
    fast = changed(frame, lambda t, v: 1.2 * v, optimizer="muon_exact", group="mode_2", metric="strength")
    assert verdict("A27.2", fast) == "fails"
    slow = changed(frame, lambda t, v: sigmoid((t - 160) / 8), optimizer="gd", group="mode_3a", metric="component")
    assert verdict("A27.3", slow) == "fails"


@pytest.mark.parametrize("claim", NAMES)
def test_too_few_seeds_smoke_and_missing_runs(frame, claim):
    few = frame[frame["seed"] < 2]
    assert verdict(claim, few) == "inconclusive"
    assert verdict(claim, frame, scale="smoke") == "not-run"
    gone = "muon_exact" if claim == "A27.2" else "gd"
    assert verdict(claim, without(frame, gone)) == "not-run"


# --- statistics and summaries ----------------------------------------------------------------------------


def test_statistics_against_plain_numbers():
    """Straight lines: component c reaches 1/2 at 10 c, the loss falls from 1 to 0 in 40 steps."""
    steps = np.arange(41)
    curves = {("train", "all", "excess_loss"): 1 - steps / 40}
    for rank, half in (("1", 10), ("2a", 20), ("2b", 25), ("3", 40)):
        curves["train", f"mode_{rank}", "component"] = np.minimum(steps / (2 * half), 1)
    (run,) = Experiment("organisms", rows("organisms", "gd", 0, steps, curves)).runs("gd").values()
    half = {"metric": "component", "share": 0.5}
    assert measured("delay", run, **half).value == pytest.approx(10)
    assert measured("delay", run, **half, between="ends").value == pytest.approx(30)
    assert measured("delay", run, **half, between="ends", unit="half_loss").value == pytest.approx(1.5)
    ratio = measured("time_ratio", run, **half)
    assert ratio.value == pytest.approx(4) and not ratio.censored
    at_half = {"metric": "component", "loss_left": 0.5}
    assert measured("lead", run, **at_half).value == pytest.approx(0.4 - 0.25)  # at step 20: 1, 0.5, 0.4, 0.25
    assert measured("lead", run, **at_half, between="ends").value == pytest.approx(0.75)
    uneven = {"metric": "component", "of": "smallest_over_largest"}
    assert measured("direction_ratio", run, **uneven, loss_left=0.75).value == pytest.approx(0.25)
    assert measured("direction_ratio", run, **uneven, step=10).value == pytest.approx(0.25)
    assert measured("least_learned", run, metric="component").value == pytest.approx(0.5)
    late = measured("time_ratio", run, metric="component", share=0.6)
    assert (late.value, late.censored) == (pytest.approx(40 / 12), True)
    with pytest.raises(NoValue, match="a direction never reached 0.6"):
        measured("delay", run, metric="component", share=0.6)
    with pytest.raises(NoValue, match="the excess loss never fell to -0.1 of its first value"):
        measured("lead", run, metric="component", loss_left=-0.1)
    with pytest.raises(UserError, match="excess_loss has no directions of several ranks"):
        measured("least_learned", run, metric="excess_loss")
    with pytest.raises(UserError, match="takes one of step, loss_left"):
        measured("direction_ratio", run, **uneven)


def test_evenness_is_the_statistic_at_every_level(frame):
    names = [f"mode_{rank}" for rank in RANKS]
    found = concept_summary.evenness(frame, "gd", names, np.array([0.5, 1e-20])).set_index("loss_left")
    runs = Experiment("organisms", frame).runs("gd").values()
    options = {"metric": "component", "loss_left": 0.5, "of": "smallest_over_largest"}
    each = [measured("direction_ratio", run, **options).value for run in runs]
    assert found.loc[0.5, "mean"] == pytest.approx(np.mean(each))
    assert found.loc[0.5, "sd"] == pytest.approx(np.std(each, ddof=1))
    assert found["n"].tolist() == [5, 0] and np.isnan(found.loc[1e-20, "mean"])


def test_confusions_of_a_table():
    table = organisms.read_table()
    right = {("train", f"attribute_{a}", "answer"): [row.argmax()] * 2 for a, row in enumerate(table.has)}
    wrong = right | {("train", "attribute_0", "answer"): [4, 4]}  # sunlight: dog
    exact = (
        concepts.confusion(table, table.probability) / np.bincount(table.category, weights=table.has.sum(1))[:, None]
    )
    mass = {("train", f"{r}>{c}", "mass"): [exact[i, j]] * 2
            for i, r in enumerate(table.categories) for j, c in enumerate(table.categories)}  # fmt: skip
    parts = [rows("organisms", "gd", seed, np.arange(2), (right, wrong)[seed] | mass) for seed in range(2)]
    found = concept_summary.confusions(pd.concat(parts), "gd", table, 1)
    np.testing.assert_allclose(found["mass"], concepts.confusion(table, table.probability), atol=1e-12)
    plants, animals = found["answer"][0, :2]
    assert (plants, animals) == (6, 2)  # of 8 examples, 4 are wrong in one of two seeds
    assert np.diagonal(found["answer"])[1:].tolist() == [16, 8, 4, 2, 2, 2, 2, 2, 2]
