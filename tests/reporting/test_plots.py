"""What the drawings that two notebooks share make of a runs table."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from muon_imbalance.reporting.figures.plots import heat_map, network_grid, network_ratios


def rows(optimizer, phase, lr, values, step=10, momentum="0.9"):
    """End values of one cell: majority, minority, training loss."""
    keys = [("test", "majority", "accuracy"), ("test", "minority", "accuracy"), ("train", "all", "loss")]
    return [
        {"optimizer": optimizer, "phase": phase, "lr": lr, "momentum": momentum, "hyper": "{}", "step": at,
         "split": split, "group": group, "metric": metric, "value": value if at else 0.0}
        for at in (0, step)
        for (split, group, metric), value in zip(keys, values, strict=True)
    ]  # fmt: skip


def test_a_grid_shows_its_cells_and_an_optimizer_without_one_its_final_run():
    frame = pd.DataFrame(
        rows("muon", "grid", "0.1", (0.5, 0.1, 2.0))
        + rows("muon", "grid", "0.02", (0.9, 0.3, 1.0))
        + rows("muon", "final", "0.02", (0.8, 0.2, 1.1))  # other seeds: not part of the grid
        + rows("adam", "final", "0.001", (0.7, 0.0, 1.5), momentum="0")
    )
    shown = network_grid.maps(frame)
    selected, (majority, minority, loss) = shown["muon"]
    assert selected == ("0.02", "0.9", "{}")
    assert list(majority.index) == ["0.02", "0.1"] and majority.iloc[:, 0].tolist() == [90, 50]
    assert minority.iloc[:, 0].tolist() == [30, 10] and loss.iloc[:, 0].tolist() == [1.0, 2.0]
    assert shown["adam"][1][0].to_numpy().tolist() == [[70]]
    fig, table = network_grid.draw(shown, "title")
    plt.close(fig)
    assert len(table) == 9 and [text.get_text() for text in fig.axes[1].get_xticklabels()] == ["default"]
    assert heat_map.headings([("0", "{}"), ("0.9", "{}")]) == ["0", "0.9"]
    assert heat_map.headings([("0", "{}")]) == ["default"]
    assert heat_map.headings([("0.9", '{"weight_decay": 0.1}')]) == ["0.9\n0.1"]


def test_a_heat_map_writes_every_value_legibly_and_frames_the_selected_cell():
    columns = pd.MultiIndex.from_product([["0.9"], ["{}"]])
    table = pd.DataFrame([[2.0], [float("nan")], [96.4]], index=["0.01", "0.1", "1"], columns=columns)
    fig, axes = plt.subplots(2)
    canvas = fig.canvas
    heat_map.draw(axes[0], table, ("1", "0.9", "{}"), "Blues", (0, 100), "{:.0f}")
    heat_map.matrix(axes[1], table.fillna(0), "Greys", (0, 100))
    assert fig.canvas is canvas, "the figure can be drawn again"
    plt.close(fig)
    texts = {text.get_position(): (text.get_text(), text.get_color()) for text in axes[0].texts}
    assert texts == {(0.5, 0.5): ("2", "black"), (0.5, 1.5): ("–", "black"), (0.5, 2.5): ("96", "white")}
    (frame,) = axes[0].patches
    assert frame.get_xy() == pytest.approx((0.05, 2.05))
    for ax in axes:
        assert ax.get_ylim() == (3, 0) and (ax.get_xlabel(), ax.get_ylabel()) == ("", "")
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["0.01", "0.1", "1"]


def test_the_lead_is_over_the_better_of_the_others():
    panels = network_ratios.ordered({"a": "CIFAR-10, R = 20", "b": "CIFAR-10, R = 5"})
    assert list(panels) == ["b", "a"]
    end = {"nmd": 0.3, "signum": 0.1, "muon": 0.5}
    curves = pd.DataFrame(
        {"experiment": name, "optimizer": optimizer, "group": "minority", "epoch": epoch, "mean": epoch / 4 * value}
        for name in panels
        for optimizer, value in end.items()
        for epoch in (0, 1, 2, 3, 4)
    )
    lead = network_ratios.leads(curves, panels).set_index(["experiment", "when"])
    assert lead.loc[("a", "at the end"), "lead"] == pytest.approx(0.2)
    assert lead.loc[("b", "first half"), "lead"] == pytest.approx(0.2 * 1.5 / 4)
    assert lead["ratio"].to_dict()[("a", "at the end")] == 20
