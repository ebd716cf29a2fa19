"""The selection rule: best cell, ties, divergence, borders of the grid."""

import json

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.selection import select
from muon_imbalance.common.errors import UserError

from .synthetic import diverged, rows

RULE = {"metric": "accuracy", "split": "validation", "group": "balanced", "at": "end", "goal": "max"}
VALUES = {"lr": ["0.01", "0.1", "1e0"], "momentum": ["0.9"]}
STEPS = np.array([0, 10, 20])


def grid(curves: dict[str, list[float]], seeds: int = 2) -> pd.DataFrame:
    """One cell per learning rate, with the same curve (plus and minus 0.01) for its seeds."""
    parts = [
        rows(
            "e", "muon", seed, STEPS,
            {("validation", "balanced", "accuracy"): np.array(curve) + 0.01 * (-1) ** seed},
            lr=lr, phase="grid",
        )
        for lr, curve in curves.items()
        for seed in range(seeds)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


CURVES = {"0.01": [0, 0.5, 0.6], "0.1": [0, 0.5, 0.8], "1e0": [0, 0.9, 0.7]}


def test_the_best_end_is_chosen():
    chosen = select(grid(CURVES), RULE, VALUES)
    assert chosen["hyper"] == {"lr": "0.1", "momentum": "0.9"}
    assert (chosen["score"], chosen["seeds"], chosen["split"]) == (pytest.approx(0.8), [0, 1], "validation")
    assert chosen["edge"] == {"lr": None, "momentum": None}
    assert chosen["rule"] == RULE
    assert list(chosen["table"]["score"].round(2)) == [0.6, 0.8, 0.7]


def test_the_best_step_may_count_instead():
    chosen = select(grid(CURVES), RULE | {"at": "best"}, VALUES)
    assert (chosen["hyper"]["lr"], chosen["edge"]["lr"]) == ("1e0", "upper")


def test_small_may_be_good():
    chosen = select(grid(CURVES), RULE | {"goal": "min"}, VALUES)
    assert (chosen["hyper"]["lr"], chosen["edge"]["lr"]) == ("0.01", "lower")


def test_a_diverged_cell_loses():
    frame = grid(CURVES)
    best = (frame["lr"] == "0.1") & (frame["seed"] == 1)
    chosen = select(pd.concat([frame[~best], diverged(frame[best], "muon", [1], since=10)]), RULE, VALUES)
    assert chosen["hyper"]["lr"] == "1e0"
    assert list(chosen["table"]["diverged"]) == [False, True, False]


def test_a_diverged_cell_loses_even_if_it_was_best_before():
    frame = grid(CURVES)
    late = diverged(frame[frame["lr"] == "1e0"], "muon", [0, 1], since=20)
    chosen = select(pd.concat([frame[frame["lr"] != "1e0"], late]), RULE | {"at": "best"}, VALUES)
    assert chosen["hyper"]["lr"] == "0.1"


def test_all_diverged_is_an_error():
    with pytest.raises(UserError, match=r"every cell of the grid diverged \(lr 0.01, 0.1, 1e0; momentum 0.9\)"):
        select(diverged(grid(CURVES), "muon", [0, 1]), RULE, VALUES)


def test_ties_go_to_the_smaller_learning_rate():
    curve = [0, 0.5, 0.8]
    chosen = select(grid({"1e0": curve, "0.1": curve, "0.01": [0, 0, 0]}), RULE, VALUES)
    assert chosen["hyper"]["lr"] == "0.1"


def test_ties_may_be_broken_by_another_curve():
    flat = grid(dict.fromkeys(CURVES, [0, 0.5, 0.6]))
    loss = flat.assign(metric="loss", split="train", group="all", value=flat["lr"].map({"0.01": 2, "0.1": 1, "1e0": 3}))
    ties = {"metric": "loss", "split": "train", "group": "all", "goal": "min"}
    both = pd.concat([flat, loss], ignore_index=True)
    assert select(both, RULE | {"ties": ties}, VALUES)["hyper"]["lr"] == "0.1"
    assert select(both, RULE | {"ties": ties | {"goal": "max"}}, VALUES)["hyper"]["lr"] == "1e0"
    clear = pd.concat([grid(CURVES | {"0.01": [0, 0.5, 0.9]}), loss], ignore_index=True)
    assert select(clear, RULE | {"ties": ties}, VALUES)["hyper"]["lr"] == "0.01"
    with pytest.raises(UserError, match="no grid rows with metric 'loss'"):
        select(flat, RULE | {"ties": ties}, VALUES)
    with pytest.raises(UserError, match="selection rule.ties.goal = 'down'; allowed: max, min"):
        select(both, RULE | {"ties": ties | {"goal": "down"}}, VALUES)


def test_a_single_value_is_no_border():
    chosen = select(grid({"0.1": [0, 0.5, 0.8]}), RULE, {"lr": ["0.1"]})
    assert (chosen["hyper"], chosen["edge"]) == ({"lr": "0.1"}, {"lr": None})


def test_further_keys_are_read_from_hyper():
    frame = grid({"0.1": [0, 0, 0.8]})
    other = grid({"0.1": [0, 0, 0.9]})
    frame = pd.concat([frame.assign(hyper='{"ns_steps": "1"}'), other.assign(hyper='{"ns_steps": "5"}')])
    chosen = select(frame, RULE, {"lr": ["0.1"], "ns_steps": ["1", "5"]})
    assert chosen["hyper"] == {"lr": "0.1", "ns_steps": "5"}
    assert chosen["edge"]["ns_steps"] == "upper"


def test_final_rows_do_not_count():
    final = grid({"0.01": [0, 1, 1]}).assign(phase="final")
    assert select(pd.concat([grid(CURVES), final]), RULE, VALUES)["hyper"]["lr"] == "0.1"


@pytest.mark.parametrize(
    "rule, values, message",
    [
        (RULE | {"at": "start"}, VALUES, "rule.at = 'start'; allowed: end, best"),
        (RULE | {"goal": "high"}, VALUES, "rule.goal = 'high'; allowed: max, min"),
        ({"metric": "accuracy"}, VALUES, "selection rule: key 'split' is missing"),
        (RULE | {"metric": "acc"}, VALUES, r"no grid rows with metric 'acc'; there are \['accuracy'\]"),
        (RULE | {"split": "test"}, VALUES, r"no grid rows with split 'test'; there are \['validation'\]"),
        (
            RULE,
            VALUES | {"lr": ["0.5"]},
            r"grid cell {'lr': '0.5', 'momentum': '0.9'} was not trained; there are",
        ),
        (RULE, VALUES | {"beta": ["1"]}, "'beta' is neither lr nor momentum nor a key"),
        (RULE, {"momentum": ["0.9"]}, "'lr' is missing"),
    ],
)
def test_mistakes_are_named(rule, values, message):
    with pytest.raises(UserError, match=message):
        select(grid(CURVES), rule, values)


def test_cells_must_share_their_seeds():
    frame = grid(CURVES)
    uneven = frame[~((frame["lr"] == "0.1") & (frame["seed"] == 1))]
    with pytest.raises(UserError, match="different seeds"):
        select(uneven, RULE, VALUES)
    with pytest.raises(UserError, match="several runs of one seed"):
        select(pd.concat([frame, frame]), RULE, VALUES)


def test_the_result_is_json():
    chosen = select(grid(CURVES), RULE, VALUES)
    assert json.loads(json.dumps({k: v for k, v in chosen.items() if k != "table"}))["hyper"]["lr"] == "0.1"
