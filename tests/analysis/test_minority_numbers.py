"""Three numbers of the minority, worked out by hand, and the figures that show them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.summaries import minority_numbers
from muon_imbalance.analysis.summaries.minority_numbers import AREA, END, EQUAL, LOSS, MAJORITY, MINORITY
from muon_imbalance.reporting.figures.plots import spectral_dose, spurious_strength

STEPS = (0, 10, 20, 30, 40)


def run(optimizer, seed, minority, loss, majority=(0.5, 0.8, 0.9, 0.95, 0.95), experiment="x"):
    """Rows of one final run."""
    curves = {MINORITY: minority, MAJORITY: majority, LOSS: loss}
    shared = {"experiment": experiment, "optimizer": optimizer, "phase": "final", "seed": seed, "lr": "0.1"}
    shared |= {"momentum": "0.9", "hyper": "{}", "diverged": False}
    return [
        shared
        | dict(zip(("split", "group", "metric"), key, strict=True))
        | {"step": step, "epoch": step / 10, "value": value}
        for key, values in curves.items()
        for step, value in zip(STEPS, values, strict=True)
    ]


FAST_LOSS = (2.0, 1.0, 0.6, 0.4, 0.2)
FAST = run("muon", 0, (0.5, 0.0, 0.2, 0.4, 0.6), FAST_LOSS)
SLOW = run("nmd", 0, (0.5, 0.0, 0.0, 0.1, 0.2), (2.0, 1.5, 1.0, 0.8, 0.5))


def test_numbers_are_those_worked_out_by_hand():
    found, level = minority_numbers.numbers(pd.DataFrame(FAST + SLOW), gate=0.9)
    table = found.set_index(["optimizer", "number"])["value"]
    assert level == 0.5  # the furthest that both reach
    assert table["muon", AREA] == pytest.approx((0.2 + 0.4 + 0.6) / 4)  # not at step 10: the majority is at 80 %
    assert table["muon", END] == 0.6 and table["nmd", END] == 0.2
    assert table["muon", EQUAL] == pytest.approx(0.3) and table["nmd", EQUAL] == pytest.approx(0.2)
    ungated, _ = minority_numbers.numbers(pd.DataFrame(run("muon", 0, (0.5, 0.4, 0.2, 0.4, 0.6), FAST_LOSS)))
    assert ungated.set_index("number")["value"][AREA] == pytest.approx((0.4 + 0.2 + 0.4 + 0.6) / 4)


def test_a_run_that_diverged_is_left_out():
    broken = run("muon", 1, (0.5, 0.0, 0.1, np.nan, np.nan), (2.0, 1.0, 0.9, np.nan, np.nan))
    found, level = minority_numbers.numbers(pd.DataFrame(FAST + broken))
    assert set(found["seed"]) == {0} and level == 0.2


def test_leads_are_paired_by_seed():
    second = run("muon", 1, (0.5, 0.0, 0.3, 0.4, 0.5), FAST_LOSS) + run("nmd", 1, (0.5, 0.0, 0.0, 0.0, 0.4), FAST_LOSS)
    found, _ = minority_numbers.numbers(pd.DataFrame(FAST + SLOW + second))
    lead = minority_numbers.leads(found, "muon")
    ends = lead[lead["number"] == END].set_index("seed")["value"]
    assert set(lead["optimizer"]) == {"nmd"} and ends[0] == pytest.approx(0.4) and ends[1] == pytest.approx(0.1)
    assert minority_numbers.leads(found, "adam").empty


def test_doses_are_joined_in_their_order_and_seeds_are_shown():
    rows = []
    for experiment in spectral_dose.ROWS:
        for place, name in enumerate(("power_1", "power_05", "power_0", "muon_last")):
            heights = (0.5, 0.0, 0.1, 0.2, 0.1 * (place + 1))
            for seed in (0, 1):
                rows += run(name, seed, heights, FAST_LOSS, majority=(1.0,) * 5, experiment=experiment)
    fig, table = spectral_dose.draw(pd.DataFrame(rows), "title")
    numbers = table[(table["panel"] == "numbers") & (table["number"] == AREA)]
    plt.close(fig)
    means = numbers.groupby("optimizer")["value"].mean()
    assert means["power_0"] > means["power_05"] > means["power_1"] and len(numbers) == 16
    ticks = [text.get_text() for text in fig.axes[2].get_xticklabels()]
    assert ticks == ["1", "1/2", "0", "last"]


def test_strengths_are_shown_by_share_and_leads_belong_to_theirs():
    rows, strengths = [], {"weak": 0.9, "middle": 0.95, "strong": 0.995}
    for place, name in enumerate(strengths):
        rows += run("muon", 0, (0.5, 0.0, 0.2, 0.4, 0.6), FAST_LOSS, experiment=name)
        rows += run("sgd", 0, (0.5, 0.0, 0.2, 0.4, 0.6 - 0.1 * place), FAST_LOSS, experiment=name)
    fig, table = spurious_strength.draw(pd.DataFrame(rows), strengths, "title")
    plt.close(fig)
    lead = table[(table["panel"] == "lead of muon over optimizer") & (table["number"] == EQUAL)]
    found = lead.set_index("minority")["value"].to_dict()
    assert found == {10.0: pytest.approx(0), 5.0: pytest.approx(0.1), 0.5: pytest.approx(0.2)}
    assert spurious_strength.at_equal(table[table["panel"] == "numbers"]).shape == (3, 2)
