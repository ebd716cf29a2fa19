"""Summaries that figures draw, against numbers worked out by hand; and the tiling of example images."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.summaries import mean_curves
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


def test_tiles_lie_where_they_should():
    images = np.zeros((2, 3, 4, 5, 3))
    images[1, 2] = 0.5
    sheet = tile(images, gap=1)
    assert sheet.shape == (2 * 4 + 1, 3 * 5 + 2, 3)
    assert (sheet[5:, 12:] == 0.5).all() and (sheet[:4, :5] == 0).all() and (sheet[4] == 1).all()
