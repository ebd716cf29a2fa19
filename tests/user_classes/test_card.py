"""The report card's numbers on made-up curves, and the measurement of cost."""

import numpy as np
import pandas as pd
import pytest
import torch

from muon_imbalance.analysis.summaries import report_card
from muon_imbalance.common.errors import UserError
from muon_imbalance.stages import measure

from .test_torch_class import job

CLOCKS = (report_card.LOSS, report_card.MAJORITY, report_card.MINORITY)
STEPS = np.arange(0, 101, 2)


def rows(optimizer, minority, majority, loss, seed):
    parts = []
    for split, group, metric, values in (
        ("test", "minority", "accuracy", minority),
        ("test", "majority", "accuracy", majority),
        ("train", "minority", "accuracy", 0.9 * minority),
        ("train", "majority", "accuracy", majority),
        ("train", "all", "loss", loss),
    ):
        names = {"optimizer": optimizer, "phase": "final", "split": split, "group": group, "metric": metric}
        parts.append(pd.DataFrame({"step": STEPS, "value": values, "seed": seed}).assign(**names))
    return pd.concat(parts)


def learner(speed, gain=0.0, shift=0.0):
    """Curves that depend on ``speed * step`` alone; ``gain`` is what the minority has more at equal progress."""
    t = speed * STEPS / 100
    minority = np.clip(0.8 * (1 - np.exp(-3 * t)) + gain + shift, 0, 1)
    return minority, 1 - 0.5 * np.exp(-6 * t), 2.0 * np.exp(-4 * t)


def frame(**optimizers):
    seeds = [0.0, 0.01, -0.01, 0.02]
    parts = [
        rows(name, *learner(*how, shift=shift), seed)
        for name, how in optimizers.items()
        for seed, shift in enumerate(seeds)
    ]
    return pd.concat(parts, ignore_index=True)


def entries(table):
    return report_card.progress(table, list(table["optimizer"].unique()), ["majority"], ["minority"])


def test_being_faster_shows_by_step_alone():
    compared = report_card.compare(*_first_and_rest(entries(frame(fast=(2.0,), slow=(1.0,))))).set_index("clock")
    assert compared.loc[report_card.STEP, "low"] > 0.05
    for clock in CLOCKS:
        assert abs(compared.loc[clock, "difference"]) < 0.01, clock
        assert compared.loc[clock, "n"] == 4 and compared.loc[clock, "levels"] > 10


def test_being_better_shows_on_the_clocks_of_loss_and_majority_not_on_that_of_the_minority_itself():
    compared = report_card.compare(*_first_and_rest(entries(frame(better=(1.0, 0.1), plain=(1.0,)))))
    learned = (learner(1.0)[1][1:] >= report_card.SHARE_OF_BEST).mean()  # share of the steps that count
    np.testing.assert_allclose(compared["difference"][:3], [0.1 * learned, 0.1, 0.1], atol=0.002)
    assert (compared["low"][:3] > 0.05).all()
    assert compared.set_index("clock").loc[report_card.MINORITY, "difference"] == pytest.approx(0, abs=0.002)


def test_generalising_better_from_the_same_training_accuracy_shows_on_the_minoritys_clock():
    table = frame(better=(1.0, 0.1), plain=(1.0,))
    trained = (table["optimizer"] == "better") & (table["split"] == "train") & (table["group"] == "minority")
    table.loc[trained, "value"] -= 0.09  # it fits as many of the minority's training samples as the plain one
    compared = report_card.compare(*_first_and_rest(entries(table))).set_index("clock")
    assert compared.loc[report_card.MINORITY, "difference"] == pytest.approx(0.1, abs=0.002)


def test_a_collapsed_model_scores_nothing_by_step():
    """It predicts one class for all: half of the minority, half of the majority."""
    flat = np.full(len(STEPS), 0.5)
    table = pd.concat([frame(plain=(1.0,)), *(rows("flat", flat, flat, learner(1.0)[2], seed) for seed in range(4))])
    found = {entry.optimizer: report_card.areas(entry).mean() for entry in entries(table)}
    assert found["flat"] == 0 and found["plain"] > 0.2


def test_clocks_that_never_get_there_have_no_value():
    table = frame(plain=(1.0,), stuck=(0.0,))
    compared = report_card.compare(*_first_and_rest(entries(table))).set_index("clock")
    assert compared.loc[report_card.LOSS, "n"] == 0 and np.isnan(compared.loc[report_card.LOSS, "difference"])


def test_diverged_runs_are_left_out():
    table = frame(plain=(1.0,), other=(1.0,))
    table.loc[(table["optimizer"] == "other") & (table["seed"] == 2) & (table["step"] > 50), "value"] = np.nan
    one, other = entries(table)
    assert other.seeds == {0, 1, 3}
    assert set(report_card.compare(one, [other])["n"]) == {3}
    table["value"] = np.nan
    with pytest.raises(UserError, match="every run of every optimizer diverged"):
        report_card.levels(entries(table))


def test_groups_are_averaged():
    table = frame(plain=(1.0,))
    (both,) = report_card.progress(table, ["plain"], ["majority", "minority"], ["minority"])
    minority, majority, _ = learner(1.0)
    means = (minority + majority) / 2
    np.testing.assert_allclose(both.majority[0], means / means.max(), rtol=0.02)  # best: of the mean over seeds


def test_the_majority_counts_as_a_share_of_the_best_of_all():
    """A problem whose majority ends at 60 % has the same card as one where it ends at 100 %; and another split."""
    table = frame(fast=(2.0,), slow=(1.0,))
    harder = table.copy()
    harder.loc[harder["group"] == "majority", "value"] *= 0.6
    harder.loc[harder["split"] == "test", "split"] = "validation"
    hard = report_card.progress(harder, ["fast", "slow"], ["majority"], ["minority"], split="validation")
    expected = report_card.compare(*_first_and_rest(entries(table)))
    pd.testing.assert_frame_equal(report_card.compare(*_first_and_rest(hard)), expected)
    assert max(entry.majority.to_numpy().max() for entry in hard) == pytest.approx(1.0)
    assert hard[1].majority.to_numpy().max() < 1.0


def test_what_is_drawn():
    curves = report_card.curves(entries(frame(a=(1.0,), b=(2.0,))))
    assert set(curves["clock"]) == {report_card.STEP, *CLOCKS} and set(curves["optimizer"]) == {"a", "b"}
    assert (curves.loc[curves["clock"] == report_card.LOSS, "n"] == 4).all()
    by_step = curves[(curves["clock"] == report_card.STEP) & (curves["optimizer"] == "a")]
    assert by_step["x"].min() == 2 and (by_step["n"] == 4).all() and by_step["majority"].notna().all()


def _first_and_rest(found):
    return found[0], found[1:]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"rule": "nmd", "own": {}, "cells": [{"lr": "0.1", "momentum": "0.9"}]}, 1.0),
        ({"rule": "specgd", "own": {}}, 0.0),
        ({"rule": "", "own": {"class": "torch.optim:SGD"}, "hyper": {"momentum": 0.9}}, 1.0),
        ({"rule": "", "own": {"class": "torch.optim:SGD"}}, 0.0),
    ],
)
def test_cost(changes, state):
    found = measure.measure(job(**changes), None)
    torch.set_flush_denormal(False)
    assert found["state_ratio"] == pytest.approx(state) and found["parameters"] == 12
    assert found["step_seconds"] > 0 and found["ratio"] > 0 and found["peak_mib"] > 50
