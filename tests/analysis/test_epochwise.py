"""Selection for every number of epochs, against a plain loop; Fig. 8's claims hold where they should, and bite."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.claims import claim_records, judging
from muon_imbalance.analysis.statistics import epochwise
from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.common.errors import UserError

ROOT = Path(__file__).parents[2]
SEEDS, EPOCHS = (0, 1, 2), (0, 1, 2, 3)


def rows(optimizer, lr, validation, test, balanced=None, phases=("grid",), seeds=SEEDS, loss=None):
    """Rows of one cell: ``validation`` and ``test`` worst-group accuracy by epoch, plus a little by seed."""
    found = []
    curves = {("validation", "worst", "accuracy"): validation, ("test", "worst", "accuracy"): test,
              ("test", "balanced", "accuracy"): balanced or test,
              ("train", "all", "loss"): loss or [1.0, 0.6, 0.2, 0.1],
              ("train", "worst", "accuracy"): [0.0, 0.3, 0.6, 0.9]}  # fmt: skip
    for phase in phases:
        for seed in seeds:
            for (split, group, metric), values in curves.items():
                for epoch, value in zip(EPOCHS, values, strict=True):
                    found.append({
                        "experiment": "e", "optimizer": optimizer, "phase": phase, "run": seed, "seed": seed, "lr": lr,
                        "momentum": "0.9", "hyper": "{}", "epoch": float(epoch), "step": 10 * epoch, "split": split,
                        "group": group, "metric": metric, "value": value + 0.001 * seed, "diverged": False,
                    })  # fmt: skip
    return pd.DataFrame(found)


def test_selected_at_any_epoch_up_to_e_and_reported_at_e():
    frame = pd.concat([
        rows("muon", "0.1", [0.9, 0.3, 0.1, 0.2], [0.9, 0.31, 0.11, 0.21]),
        rows("muon", "0.2", [0.9, 0.2, 0.25, 0.6], [0.9, 0.22, 0.26, 0.55]),
    ])  # fmt: skip
    choice = epochwise.selected(frame, "muon")
    assert choice["lr"].tolist() == ["0.1", "0.1", "0.2"]  # epoch 0 does not count; at e = 2 the best was at epoch 1
    assert choice["best_epoch"].tolist() == [1.0, 1.0, 3.0]
    found = epochwise.accuracies(frame, "muon", "worst")
    np.testing.assert_allclose(found[0], [0.31, 0.11, 0.55])
    table = epochwise.summary(frame)
    last = table[(table["group"] == "worst") & (table["epoch"] == 3)].iloc[0]
    assert last["n"] == 3 and last["mean"] == pytest.approx(0.551) and last["sd"] == pytest.approx(0.001)
    assert epochwise.at_end(frame, "muon", "worst", "test")["0.1", "0.9", "{}"] == pytest.approx(0.211)


def test_against_a_plain_loop():
    rng = np.random.default_rng(0)
    rates = ("0.1", "0.2", "0.3", "0.4")
    validation, test = rng.random((2, len(rates), len(EPOCHS)))
    frame = pd.concat([rows("sgd", lr, list(v), list(t)) for lr, v, t in zip(rates, validation, test, strict=True)])
    found = epochwise.accuracies(frame, "sgd", "worst")
    for e in EPOCHS[1:]:
        best = max(range(len(rates)), key=lambda i, e=e: max(validation[i][1 : e + 1]))
        assert found.loc[e, 0] == pytest.approx(test[best][e])


def test_a_cell_that_diverged_loses_and_seeds_must_agree():
    good, bad = rows("sgd", "0.1", [0.1] * 4, [0.1] * 4), rows("sgd", "0.2", [0.9] * 4, [0.9] * 4)
    bad.loc[(bad["seed"] == 1) & (bad["epoch"] >= 1), "value"] = np.nan
    assert set(epochwise.selected(pd.concat([good, bad]), "sgd")["lr"]) == {"0.1"}
    with pytest.raises(UserError, match="every cell of the grid diverged"):
        epochwise.selected(bad, "sgd")
    with pytest.raises(UserError, match="different seeds"):
        epochwise.selected(pd.concat([good, rows("sgd", "0.2", [0.9] * 4, [0.9] * 4, seeds=(0, 1))]), "sgd")
    tie = pd.concat([rows("sgd", "0.2", [0.1] * 4, [0.5] * 4), good])
    assert set(epochwise.selected(tie, "sgd")["lr"]) == {"0.1"}


CURVES = {"sgd": 0.1, "adam": 0.7, "shampoo": 0.6, "muon": 0.65}


def verdicts(kind, **levels):
    """Verdicts on made-up runs, whose accuracies lie at these levels."""
    frame = pd.concat([
        rows(name, "0.1", *[[0.0, level / 2, level, level]] * 3, phases=("grid", "final"))
        for name, level in (CURVES | levels).items()
    ])  # fmt: skip
    spread = (frame["optimizer"] == "adam") & (frame["metric"] == "accuracy")
    frame.loc[spread, "value"] += np.where(frame.loc[spread, "seed"] == 1, 0.05, 0.0)
    experiment = Experiment(f"fine_tune_{kind}", frame=frame, settings={"sweep": {}})
    family = [claim for claim in claim_records.read_all(ROOT / "claims") if claim.experiment == experiment.name]
    evidence = {experiment.name: experiment}
    return {claim.id: judging.judge(claim, evidence, "laptop", "generated")["verdict"] for claim in family}


@pytest.mark.parametrize("kind", ["text", "images"])
def test_claims_bite(kind):
    found = verdicts(kind, adam=0.66) if kind == "images" else verdicts(kind, adam=0.8)
    assert set(found.values()) == {"holds"}, found
    worse = verdicts(kind, muon=0.05, shampoo=0.04)
    assert {name for name, verdict in worse.items() if verdict == "fails"} >= {
        f"C8.1.{kind}", f"C8.1.{kind}_last", f"C8.1.{kind}_average", f"C8.4.{kind}", f"A8.1.{kind}",
        f"A8.2.{kind}",
    }  # fmt: skip
    other = verdicts(kind, adam=0.2)
    if kind == "text":
        assert other["C8.2.text"] == other["C8.2.text_average"] == "fails"
    else:
        assert other["C8.3.images"] == "fails"
