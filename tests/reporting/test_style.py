"""Colours, lines and marks stay apart; nothing in a figure is too small or overlaps."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from muon_imbalance.common.errors import UserError
from muon_imbalance.reporting.figures import figure, style

# colour-vision deficiency as linear maps of linear RGB (Machado, Oliveira & Fernandes 2009, severity 1)
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
FAMILIES = {"frobenius": ("ngd", "nmd"), "max": ("signgd", "signum"), "spectral": ("specgd", "muon")}

COLUMN_WIDTH = 3.3  # inches, of a figure in one column of the paper


def linear(colour):
    """Linear RGB of a colour."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(colour, vision):
    """CIELAB coordinates of a colour as seen with one kind of vision."""
    xyz = TO_XYZ @ np.clip(VISION[vision] @ linear(colour), 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def hue(colour):
    """Angle in the a-b plane, in degrees."""
    _, a, b = lab(colour, "normal")
    return np.degrees(np.arctan2(b, a))


@pytest.mark.parametrize("vision", VISION)
def test_the_three_geometries_stay_apart(vision):
    for one, other in itertools.combinations(FAMILIES.values(), 2):
        for a, b in itertools.product(one, other):
            distance = np.linalg.norm(lab(style.STYLES[a].colour, vision) - lab(style.STYLES[b].colour, vision))
            assert distance > 25, (a, b, distance)
    assert np.linalg.norm(lab("#D55E00", "deutan") - lab("#D18B00", "deutan")) < 25, "the check bites"


def test_one_hue_a_family_and_lighter_variants():
    for members in FAMILIES.values():
        first, second = (hue(style.STYLES[name].colour) for name in members)
        assert abs(first - second) < 15
    light = [lab(style.STYLES[name].colour, "normal")[0] for name in ("muon", "muon_ns1", "muon_exact")]
    assert light[0] + 10 < min(light[1:])


def test_curves_can_be_told_apart_in_grey_and_on_white():
    looks = [(entry.line, entry.marker) for entry in style.STYLES.values()]
    assert len(set(looks)) == len(looks) and len({mark for _, mark in looks}) == len(looks)
    for name, entry in style.STYLES.items():
        luminance = linear(entry.colour) @ np.array([0.2126, 0.7152, 0.0722])
        assert 1.05 / (luminance + 0.05) > 2.7, f"{name} is too pale on white"


def test_unknown_optimizers_get_a_stable_style():
    assert style.of("soap") == style.of("soap") != style.of("soap2")
    assert style.of("soap").label == "soap"
    assert style.in_order(["soap", "muon", "adam", "nmd", "muon", "abc"]) == [
        "nmd",
        "muon",
        "adam",
        "abc",
        "soap",
    ]


def test_unknown_optimizers_look_like_no_known_one():
    for name in (f"own_{number}" for number in range(300)):
        entry = style.of(name)
        apart = [np.linalg.norm(lab(entry.colour, "normal") - lab(k.colour, "normal")) for k in style.STYLES.values()]
        assert min(apart) > 20, (name, entry.colour, min(apart))
        assert (entry.line, entry.marker) not in {(known.line, known.marker) for known in style.STYLES.values()}
        assert entry.marker not in {known.marker for known in style.STYLES.values()}
        luminance = linear(entry.colour) @ np.array([0.2126, 0.7152, 0.0722])
        assert 1.05 / (luminance + 0.05) > 2.7, f"{name} is too pale on white"


def sample(width):
    """A figure with everything on it, drawn."""
    fig, axes = figure.subplots(1, 2, width=width)
    steps = np.arange(1, 40)
    for name in ("nmd", "signum", "muon", "muon_ns1", "muon_exact"):
        style.band(axes[0, 0], steps, np.sqrt(steps), 0.1 * steps, name)
    axes[0, 0].set(xlabel="step", ylabel="accuracy (%)", title="Majority")
    figure.legend(fig, axes)
    style.heading(fig, "A heading that says a good deal and does not fit in one line of a column " * 2)
    style.footer(fig, "Colored-MNIST from the complete MNIST, 14 by 14 pixels", "laptop")
    fig.canvas.draw()
    return fig, axes


@pytest.mark.parametrize("width", [COLUMN_WIDTH, style.FULL_WIDTH])
def test_nothing_is_small_overlaps_or_sticks_out(width):
    fig, axes = sample(width)
    renderer = fig.canvas.get_renderer()
    texts = [text for text in fig.findobj(plt.Text) if text.get_text().strip() and text.get_visible()]
    assert min(text.get_fontsize() for text in texts) >= style.SMALLEST_FONT
    boxes = [item.get_window_extent(renderer) for item in (*fig.texts, *fig.legends)]
    boxes += [ax.get_tightbbox(renderer) for ax in axes.ravel()]
    for one, other in itertools.combinations(boxes[:3], 2):
        assert not one.overlaps(other)
    for panel in boxes[3:]:
        assert not any(panel.overlaps(box) for box in boxes[:3])
    for box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= fig.bbox.x1 + 1 and box.y1 <= fig.bbox.y1 + 1
    plt.close(fig)


def test_saved_files_are_complete_and_the_same_again(tmp_path):
    numbers = pd.DataFrame({"step": [1, 2], "value": [0.1, 1 / 3]})
    for folder in ("a", "b"):
        shown = figure.save(sample(COLUMN_WIDTH)[0], tmp_path / folder, "fig_01_x", numbers)
    assert repr(shown) == "saved fig_01_x.pdf, fig_01_x.png, fig_01_x.csv"
    for path in shown.files:
        assert path.read_bytes() == (tmp_path / "a" / path.name).read_bytes()
    assert shown._repr_png_() == shown.files[1].read_bytes()
    assert b"CreationDate" not in shown.files[0].read_bytes()
    assert not plt.get_fignums(), "the figure is closed"
    assert pd.read_csv(shown.files[2]).equals(numbers), "numbers keep all their digits"
    with pytest.raises(UserError, match="no rows"):
        figure.save(plt.figure(), tmp_path, "fig_01_x", numbers.iloc[:0])
    plt.close("all")


def test_a_legend_without_curves_is_an_error():
    fig, axes = figure.subplots()
    with pytest.raises(UserError, match="legend needs curves"):
        figure.legend(fig, axes)
    plt.close(fig)


def test_an_optimizer_all_of_whose_runs_diverged_does_not_stop_a_figure(tmp_path):
    fig, axes = figure.subplots()
    style.band(axes[0, 0], np.arange(3), [1.0, 2.0, 3.0], None, "muon")
    style.band(axes[0, 0], np.arange(3), np.full(3, np.nan), np.full(3, np.nan), "my_soap")
    figure.legend(fig, axes)
    saved = figure.save(fig, tmp_path, "fig_01_x", pd.DataFrame({"x": [1]}))
    assert saved.files[0].is_file()


def test_users_settings_do_not_reach_figures():
    plt.rcParams.update({"font.size": 3, "axes.facecolor": "pink"})
    style.use_style()
    assert plt.rcParams["font.size"] == 8 and plt.rcParams["axes.facecolor"] == "white"
