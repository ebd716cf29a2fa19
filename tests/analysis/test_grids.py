"""Grids: gated areas of cells, selected learning rates on an edge, and what an edge does to a verdict."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.analysis.statistics import grids
from muon_imbalance.analysis.statistics.evidence import Experiment

from .group_runs import GRID, SELECTION, all_optimizers, grid_run, muon_grid
from .synthetic import changed, colored, diverged, record, verdict

SETTINGS = {"sweep": {"muon": GRID}, "selection": SELECTION}


def test_area_of_a_cell_is_the_mean_while_the_majority_is_right():
    frame = grid_run("muon", 0, 30, 0.3, "grid")
    chosen = frame[(frame["metric"] == "accuracy") & (frame["split"] == "validation") & (frame["step"] > 0)]
    wide = chosen.pivot(index="step", columns="group", values="value")
    by_hand = np.where(wide["majority"] >= 0.9, wide["minority"], 0).mean()  # records are evenly spaced
    assert grids.areas(frame, "validation")["0.06", "0.9", "{}"] == pytest.approx(by_hand)


def test_a_diverged_cell_has_no_area():
    frame = pd.concat([grid_run("muon", 0, 30, 0.3, "grid"), grid_run("muon", 1, 30, 0.3, "grid")], ignore_index=True)
    assert np.isnan(grids.areas(diverged(frame, "muon", [1]), "validation")["0.06", "0.9", "{}"])


def test_tables_without_the_two_groups_have_no_areas():
    frame = grid_run("muon", 0, 30, 0.3, "grid")
    assert grids.areas(frame[frame["group"] != "majority"], "validation").empty


def test_a_cell_inside_its_grid_is_on_no_edge():
    assert grids.edge(muon_grid(), "muon", GRID["lr"], SELECTION) is None
    assert grids.edge(muon_grid(), "nmd", GRID["lr"], SELECTION) is None
    assert grids.edge(muon_grid(), "muon", ["0.06"], SELECTION) is None


@pytest.mark.parametrize(
    ("selected", "heights", "side", "rising"),
    [
        ("0.12", (0.2, 0.30, 0.32), "upper", False),
        ("0.12", (0.2, 0.30, 0.40), "upper", True),
        ("0.03", (0.32, 0.30, 0.2), "lower", False),
        ("0.03", (0.40, 0.30, 0.2), "lower", True),
        ("0.12", (0.2, 0.300, 0.329), "upper", False),  # 9.7 % more than inside
        ("0.12", (0.2, 0.300, 0.331), "upper", True),  # 10.3 %
        ("0.12", (0.2, 0.0, 0.1), "upper", True),
    ],
)
def test_an_edge_and_whether_the_score_still_improves(selected, heights, side, rising):
    found = grids.edge(muon_grid(heights, selected), "muon", GRID["lr"], SELECTION)
    assert (found.side, found.lr, found.rising) == (side, selected, rising)
    assert f"selected lr {selected} is the {side} edge" in str(found)


def test_an_edge_is_compared_at_equal_other_hyperparameters():
    """The edge rises at the selected betas; at the others, with a larger area inside, it would not."""
    low, high = '{"betas": "0.9,0.99"}', '{"betas": "0.9,0.999"}'
    heights = {(low, "0.06"): 0.2, (low, "0.12"): 0.3, (high, "0.06"): 0.4, (high, "0.12"): 0.3}
    cells = [grid_run("adam", 0, 30, height, "grid", lr).assign(hyper=hyper) for (hyper, lr), height in heights.items()]
    for selected, rising in ((low, True), (high, False)):
        frame = pd.concat([*cells, grid_run("adam", 0, 30, 0.3, lr="0.12").assign(hyper=selected)], ignore_index=True)
        assert grids.edge(frame, "adam", ["0.06", "0.12"], SELECTION).rising == rising
        _, area = grids.cells(frame, "adam", "validation")
        near = grids.neighbour_ratios(("0.12", "0.9", selected), area)
        assert {cell[0] for cell in near.index} == {"0.06", "0.12"} and len(near) == 2


@pytest.mark.parametrize(("inner", "score", "rising"), [(0.5, 0.44, True), (0.5, 0.46, False), (0.5, 0.6, False)])
def test_losses_improve_downwards(inner, score, rising):
    rule = SELECTION | {"metric": "loss", "split": "train", "group": "minority", "goal": "min"}
    frame = muon_grid(selected="0.12")
    for lr, level in (("0.06", inner), ("0.12", score)):
        frame = changed(frame, lambda t, v, level=level: level, lr=lr, metric="loss", group="minority")
    found = grids.edge(frame, "muon", GRID["lr"], rule)
    assert (found.score, found.inner, found.goal, found.rising) == (score, inner, "min", rising)


def test_a_group_that_no_cell_learns_leaves_the_edge_to_the_second_curve():
    rule = SELECTION | {"ties": {"metric": "loss", "split": "train", "group": "minority", "goal": "min"}}
    frame = changed(muon_grid(selected="0.12"), lambda t, v: 0.0, group="minority", metric="accuracy")
    assert not grids.edge(frame, "muon", GRID["lr"], rule).rising
    better = changed(frame, lambda t, v: 0.5 * v, lr="0.12", metric="loss", group="minority")
    assert grids.edge(better, "muon", GRID["lr"], rule).rising


def colored_grid(heights) -> pd.DataFrame:
    """Fig. 1 with Muon's learning rate on the upper edge of its grid."""
    cells = [
        grid_run("muon", 0, 30, height, "grid", lr).assign(experiment="colored_mnist")
        for lr, height in zip(GRID["lr"], heights, strict=True)
    ]
    frame = colored()
    frame.loc[frame["optimizer"] == "muon", "lr"] = "0.12"
    return pd.concat([frame, *cells], ignore_index=True)


@pytest.mark.parametrize("claim", ["C1.1", "C1.2", "A1.1", "A1.2"])
def test_the_rule_applies_to_figure_1(claim):
    assert verdict(claim, colored_grid((0.2, 0.30, 0.329)), settings=SETTINGS) == "holds"
    assert verdict(claim, colored_grid((0.2, 0.30, 0.331)), settings=SETTINGS) == "inconclusive"


@pytest.mark.parametrize("claim", ["C14.1", "C15.2.muon", "A15.2"])
def test_a_rising_edge_makes_claims_inconclusive(claim):
    frame = all_optimizers()
    others = frame[frame["optimizer"] != "muon"]
    assert verdict(claim, frame, settings=SETTINGS) == "holds"
    flat = pd.concat([others, muon_grid((0.2, 0.30, 0.32), "0.12")], ignore_index=True)
    found = record(claim, flat, settings=SETTINGS)
    assert (
        found["verdict"] == "holds" and "upper edge of its grid" in found["note"] and "not improving" in found["note"]
    )
    rising = pd.concat([others, muon_grid((0.2, 0.30, 0.40), "0.12")], ignore_index=True)
    found = record(claim, rising, settings=SETTINGS)
    assert found["verdict"] == "inconclusive" and "still improving" in found["note"]


def test_a_failing_claim_is_inconclusive_at_a_rising_edge_as_well():
    frame = all_optimizers()
    low = changed(frame, lambda t, v: np.where(t > 8, 0.0, v), optimizer="muon", phase="final", group="minority",
                  metric="accuracy")  # fmt: skip
    assert verdict("A15.2", low, settings=SETTINGS) == "fails"
    others = low[~((low["optimizer"] == "muon") & (low["phase"] == "grid"))]
    edge = muon_grid((0.2, 0.30, 0.40), "0.12").query("phase == 'grid'")
    low = pd.concat([others, edge], ignore_index=True)
    low.loc[(low["optimizer"] == "muon") & (low["phase"] == "final"), "lr"] = "0.12"
    assert verdict("A15.2", low, settings=SETTINGS) == "inconclusive"


def test_without_settings_or_grid_there_is_no_edge():
    frame = muon_grid((0.2, 0.30, 0.40), "0.12")
    assert Experiment("e", frame).edge("muon") is None
    assert Experiment("e", frame[frame["phase"] == "final"], settings=SETTINGS).edge("muon") is None
    assert Experiment("e", frame, settings=SETTINGS).edge("muon").rising


def test_neighbours_are_one_step_away():
    selected, area = grids.cells(muon_grid(), "muon", "validation")
    ratios = grids.neighbour_ratios(selected, area)
    assert set(ratios.index) == {("0.03", "0.9", "{}"), ("0.12", "0.9", "{}"), ("0.06", "0.95", "{}")}
    assert ratios["0.03", "0.9", "{}"] == pytest.approx(area["0.03", "0.9", "{}"] / area["0.06", "0.9", "{}"])


def test_flatness_is_judged_on_the_neighbours():
    assert verdict("A14.2", all_optimizers(), settings=SETTINGS) == "holds"
    steep = pd.concat([all_optimizers().query("optimizer != 'muon'"), muon_grid((0.30, 0.32, 0.2))], ignore_index=True)
    found = record("A14.2", steep, settings=SETTINGS)
    assert (found["verdict"], found["n"]) == ("fails", 3) and "at lr 0.12, momentum 0.9" in found["note"]
    assert verdict("A14.2", all_optimizers().query("phase == 'final'"), settings=SETTINGS) == "not-run"
    dead = changed(steep, lambda t, v: 0.0, optimizer="muon", phase="grid", group="minority", metric="accuracy")
    assert verdict("A14.2", dead, settings=SETTINGS) == "not-run"
