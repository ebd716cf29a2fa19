"""Summaries that figures draw, against numbers worked out by hand; and the tiling of example images."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.summaries import equal_progress, mean_curves
from muon_imbalance.reporting.figures.sample_pictures import tile
from muon_imbalance.runs.frames import COLUMNS

ACCURACY, LOSS = ("test", "minority", "accuracy"), ("train", "minority", "loss")


def frame(values):
    """Rows ``{(seed, step, (split, group, metric)): value}`` of one optimizer."""
    rows = []
    for (seed, step, (split, group, metric)), value in values.items():
        row = dict.fromkeys(COLUMNS, "x") | {
            "hyper": "{}",
            "optimizer": "muon",
            "phase": "final",
            "seed": seed,
            "step": step,
        }
        rows.append(row | {"split": split, "group": group, "metric": metric, "value": value, "lr": "0.1"})
    return pd.DataFrame(rows)


def test_mean_sd_and_number_of_seeds():
    table = frame({(0, 0, ACCURACY): 0.2, (1, 0, ACCURACY): 0.6, (0, 5, ACCURACY): 0.5, (1, 5, ACCURACY): np.nan})
    found = mean_curves.over_seeds(table, [ACCURACY]).set_index("step")
    assert found.loc[0, "mean"] == pytest.approx(0.4) and found.loc[0, "sd"] == pytest.approx(0.2 * 2**0.5)
    assert found.loc[0, "n"] == 2 and found.loc[5, "n"] == 1 and found.loc[5, "mean"] == 0.5
    assert mean_curves.over_seeds(table, [LOSS]).empty


def test_the_grid_phase_is_left_out():
    table = frame({(0, 0, ACCURACY): 0.2})
    assert mean_curves.over_seeds(table.assign(phase="grid"), [ACCURACY]).empty


def test_reading_a_metric_off_at_a_level_of_another():
    """The loss falls from 4 to 2 while the accuracy rises from 0 to 1: at 3 it is one half."""
    table = frame({(0, 0, LOSS): 4.0, (0, 1, LOSS): 2.0, (0, 0, ACCURACY): 0.0, (0, 1, ACCURACY): 1.0})
    found = mean_curves.against_clock(table, "muon", ACCURACY, LOSS, np.array([3.0, 1.0]))
    assert found["mean"].iloc[0] == pytest.approx(0.5) and found["n"].tolist() == [1, 0]


def curve(seed, key, values):
    return {(seed, step, key): value for step, value in enumerate(values)}


TRAINED = ("train", "minority", "accuracy")


def test_an_accuracy_is_a_clock_that_rises():
    table = frame(curve(0, TRAINED, [0.2, 0.0, 0.4]) | curve(0, ACCURACY, [0.0, 0.1, 0.5]))
    found = mean_curves.against_clock(table, "muon", ACCURACY, TRAINED, np.array([0.1, 0.3, 0.5]))
    assert found["level"].tolist() == [0.1, 0.3, 0.5] and found["n"].tolist() == [1, 1, 0]
    assert found["mean"].iloc[:2].tolist() == pytest.approx([0.2, 0.4])  # after its lowest value


def test_levels_of_a_control_end_where_the_slowest_run_ends():
    """Of two optimizers with two seeds, on three clocks; every level counts every run."""
    loss, majority = ("train", "all", "loss"), ("train", "majority", "accuracy")
    parts = []
    for name, gain in (("muon", 2.0), ("nmd", 1.0)):
        values = {}
        for seed in (0, 1):
            speed = np.arange(5) * gain * (1 + 0.1 * seed)
            values |= curve(seed, loss, 4 - 0.4 * speed) | curve(seed, majority, 0.1 * speed)
            values |= curve(seed, ACCURACY, 0.1 * speed) | curve(seed, TRAINED, 0 * speed + 0.3 * (name == "muon"))
        parts.append(frame(values).assign(optimizer=name))
    table = pd.concat(parts, ignore_index=True)
    found = equal_progress.control(table, ACCURACY, points=5)
    by_clock = dict(list(found.groupby("clock")))
    falling, rising = (by_clock[clock.name] for clock in equal_progress.THREE[:2])
    assert falling["level"].min() == pytest.approx(4 - 0.4 * 4) and rising["level"].max() == pytest.approx(0.4)
    assert (found["n"] == 2).all() and set(found["optimizer"]) == {"muon", "nmd"} and len(falling) == 2 * 5
    assert rising["mean"].to_numpy() == pytest.approx(rising["level"].to_numpy())  # neither is better, one is earlier
    assert equal_progress.THREE[2].name not in by_clock  # minority: no run makes progress
    died = table.assign(value=table["value"].mask((table["seed"] == 1) & (table["step"] > 1)))
    assert (equal_progress.control(died, ACCURACY, points=5)["n"] == 1).all()
    assert equal_progress.control(table.assign(value=0.5), ACCURACY).empty


def test_clocks_of_the_largest_and_the_smallest_group():
    table = frame({(0, 0, ("train", name, "accuracy")): 0.5 for name in ("a", "b", "c", "worst")})
    clocks = equal_progress.by_size({"all": 9, "a": 5, "b": 3, "c": 1}, table)
    assert [clock.key[1] for clock in clocks] == ["all", "a", "c"] and [clock.falls for clock in clocks] == [1, 0, 0]


def test_tiles_lie_where_they_should():
    images = np.zeros((2, 3, 4, 5, 3))
    images[1, 2] = 0.5
    sheet = tile(images, gap=1)
    assert sheet.shape == (2 * 4 + 1, 3 * 5 + 2, 3)
    assert (sheet[5:, 12:] == 0.5).all() and (sheet[:4, :5] == 0).all() and (sheet[4] == 1).all()
