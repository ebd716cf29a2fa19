"""Verdicts of Figs 7 and 22: they hold on runs made so, and flip when the runs are altered."""

import numpy as np
import pandas as pd
import pytest

from .synthetic import changed, record, rows, stated, swapped, verdict, without

EXPERIMENTS = ("dominoes", "dominoes_99", "finetuning")
NAMES = {x: [name for name, claim in stated().items() if claim.experiment == x] for x in EXPERIMENTS}
STEPS = np.arange(0, 101, 10)
WORST, DECODED = ("test", "worst", "accuracy"), ("test", "worst", "decoded")
LOSS = ("train", "all", "loss")


def dominoes(experiment: str = "dominoes", seeds: int = 3) -> pd.DataFrame:
    """All of C7.* hold: Muon first, Adam as good at the end, SGD far below; also at equal training loss."""
    end = {"sgd": 0.1, "adam": 0.3, "shampoo": 0.29, "muon": 0.33}
    pace = {"sgd": 70, "adam": 50, "shampoo": 45, "muon": 25}
    parts = []
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        for name, height in end.items():
            level = height + draw.normal(0, 0.002)
            curves = {
                WORST: level * np.minimum(STEPS / pace[name], 1),
                DECODED: (0.35 + level) * np.ones(len(STEPS)),
                ("train", "worst", "accuracy"): (0.8 if name == "muon" else 1) * np.minimum(STEPS / pace[name], 1),
                LOSS: 0.7 * 0.5 ** (STEPS / (18 if name != "muon" else 14)),
            }
            parts.append(rows(experiment, name, seed, STEPS, curves))
    return pd.concat(parts, ignore_index=True)


def finetuning(seeds: int = 3) -> pd.DataFrame:
    """All of C22.* hold: Adam best on the minority, Muon and Signum alike, NMD last and slower."""
    minority = {"adam": 0.5, "muon": 0.4, "signum": 0.41, "nmd": 0.2}
    pace = {"adam": 15, "muon": 16, "signum": 16, "nmd": 40}
    parts = []
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        for name, height in minority.items():
            rise = 1 - 0.5 ** (STEPS / 10)
            curves = {
                ("test", "majority", "accuracy"): 0.85 * rise + draw.normal(0, 0.002),
                ("test", "minority", "accuracy"): (height + draw.normal(0, 0.002)) * rise,
                ("train", "minority", "accuracy"): (0.8 if name == "adam" else 1) * rise,
                LOSS: 2.3 * 0.5 ** (STEPS / pace[name]),
            }
            parts.append(rows("finetuning", name, seed, STEPS, curves))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return {"dominoes": dominoes(), "dominoes_99": dominoes("dominoes_99"), "finetuning": finetuning()}


def test_the_names():
    assert sorted(NAMES["dominoes"]) == ["A7.1", "A7.2", "A7.3", "C7.1", "C7.1.decoded", "C7.2", "C7.3"]
    assert sorted(NAMES["dominoes_99"]) == ["C7.1.p99", "C7.1.p99_decoded", "C7.3.p99"]
    assert sorted(NAMES["finetuning"]) == [
        "A22.1",
        "A22.2",
        "C22.1",
        "C22.1.nmd",
        "C22.2",
        "C22.2.muon_signum",
        "C22.2.nmd",
    ]


@pytest.mark.parametrize("claim", sorted(sum(NAMES.values(), [])))
def test_holds(frames, claim):
    found = record(claim, frames[stated()[claim].experiment])
    assert (found["verdict"], found["n"]) == ("holds", 3), found["note"]


@pytest.mark.parametrize("claim", ["C7.1", "C7.1.decoded", "A7.2", "C7.3", "A7.1", "A7.3", "C7.1.p99", "C7.3.p99"])
def test_dominoes_fails_when_sgd_is_better(frames, claim):
    assert verdict(claim, swapped(frames[stated()[claim].experiment], "muon", "sgd")) == "fails"


def test_one_epoch_is_enough_to_fail(frames):
    late = changed(
        frames["dominoes"], lambda t, v: np.where(t == 20, 0.0, v), optimizer="muon", metric="accuracy", group="worst"
    )
    assert verdict("C7.1", late) == "fails" and verdict("A7.2", late) == "holds"


@pytest.mark.parametrize(("end", "expected"), [(0.34, "holds"), (0.40, "fails"), (0.20, "fails")])
def test_muon_and_adam_meet_at_the_end(frames, end, expected):
    frame = changed(
        frames["dominoes"], lambda t, v: np.where(t == 100, end, v), optimizer="muon", metric="accuracy", group="worst"
    )
    assert verdict("C7.2", frame) == expected


def test_muon_must_be_early(frames):
    assert verdict("C7.2", swapped(frames["dominoes"], "muon", "adam")) == "fails"


@pytest.mark.parametrize("optimizer", ["muon", "shampoo", "adam"])
def test_each_decoded_accuracy_counts(frames, optimizer):
    low = changed(frames["dominoes"], lambda t, v: v - 0.15, optimizer=optimizer, metric="decoded")
    assert verdict("C7.3", low) == "fails"


@pytest.mark.parametrize("gap", [0.12, -0.12])
@pytest.mark.parametrize("optimizer", ["muon", "signum", "adam"])
def test_majorities_must_be_close(frames, optimizer, gap):
    moved = changed(frames["finetuning"], lambda t, v: v + gap, optimizer=optimizer, group="majority")
    assert verdict("C22.1", moved) == "fails"
    nearer = changed(frames["finetuning"], lambda t, v: v + gap / 2, optimizer=optimizer, group="majority")
    assert verdict("C22.1", nearer) in ("fails", "inconclusive")  # each of its six comparisons is at a stricter level


def test_nmd_must_be_slower(frames):
    assert verdict("C22.1.nmd", swapped(frames["finetuning"], "nmd", "adam")) == "fails"


@pytest.mark.parametrize("other", ["muon", "signum"])
def test_adam_must_lead(frames, other):
    high = changed(frames["finetuning"], lambda t, v: v * 2, optimizer=other, group="minority")
    assert verdict("C22.2", high) == "fails" and verdict("C22.2.muon_signum", high) == "fails"
    low = changed(frames["finetuning"], lambda t, v: v / 4, optimizer=other, group="minority")
    assert verdict("C22.2.nmd", low) == "fails"


def test_second_clock(frames):
    """Adam's minority at equal loss: swapping it with the slow NMD puts Muon ahead."""
    for claim in ("A22.1", "A22.2"):
        assert verdict(claim, swapped(frames["finetuning"], "adam", "nmd")) == "fails"


@pytest.mark.parametrize("claim", sorted(sum(NAMES.values(), [])))
def test_too_few_repetitions_and_missing_runs(claim):
    make = {"dominoes": dominoes, "finetuning": finetuning}.get(stated()[claim].experiment)
    few = dominoes("dominoes_99", 2) if make is None else make(seeds=2)
    assert verdict(claim, few) == "inconclusive"
    assert verdict(claim, without(without(few, "sgd"), "nmd")) in ("not-run", "inconclusive")
