"""Colored-MNIST: colours, counts, disjoint splits, determinism, refusals."""

import json

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.digits import colored_mnist
from muon_imbalance.data.store import array_files, manifest

CONFIG = {"train": 1000, "validation": 100, "test": 120, "repetitions": 3, "correlation": 0.97}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, mnist_like):
    out = tmp_path_factory.mktemp("colored") / "colored_mnist"
    colored_mnist.build(CONFIG, {"mnist": mnist_like}, out)
    return out


@pytest.mark.parametrize("resolution", [14, 28])
def test_pixels_against_a_plain_rendering(tmp_path, mnist_like, resolution):
    """Here: colour at full size, then average over windows; there: pool the grey, colour it later."""
    background = {"green": [0.0, 0.75, 0.25], "red": [1.0, 0.25, 0.0]}
    config = {**CONFIG, "resolution": resolution, "background": background}
    colored_mnist.build(config, {"mnist": mnist_like}, tmp_path / "out")
    original = np.load(mnist_like / "arrays.npz")["train_images"]
    index = np.load(tmp_path / "out/arrays.npz")["train_index"]
    data = colored_mnist.load(tmp_path / "out", "train", [1])
    shown = colored_mnist.render(data["grey"], data["colour"], data["background"])
    assert shown.shape == (1, 1000, 3, resolution**2)
    for place in (0, 499, 500, 999):
        v = original[index[1, place]] / 255
        tint = [background["red"], background["green"]][data["colour"][0, place]]
        full = np.stack([v * 1 + (1 - v) * tint[c] for c in range(3)])
        w = 28 // resolution
        small = sum(full[:, i::w, j::w] for i in range(w) for j in range(w)) / w**2
        assert np.abs(shown[0, place].reshape(3, resolution, resolution) - small).max() < 1e-6


def test_colour_agrees_with_the_label_except_in_the_minority(folder):
    data = colored_mnist.load(folder, "train", [0, 1, 2])
    assert (data["label"] == (data["digit"] >= 5)).all()
    assert ((data["colour"] != data["label"]) == (data["group"] == 1)).all()
    assert data["background"].tolist() == [[1, 0, 0], [0, 1, 0]]
    shown = colored_mnist.render(np.zeros((2, 1)), np.array([0, 1]), data["background"])[..., 0]
    assert shown.tolist() == [[1, 0, 0], [0, 1, 0]]  # label 0 is on red, label 1 on green
    white = colored_mnist.render(np.ones((2, 1)), np.array([0, 1]), data["background"])[..., 0]
    assert (white == 1).all()


@pytest.mark.parametrize("correlation", [0.97, 0.95, 0.5, 1.0])
def test_exact_counts_in_every_repetition(tmp_path, mnist_like, correlation):
    colored_mnist.build({**CONFIG, "correlation": correlation}, {"mnist": mnist_like}, tmp_path / "out")
    data = colored_mnist.load(tmp_path / "out", "train", range(3))
    counts = manifest.read(tmp_path / "out")["counts"]["train"]
    for r in range(3):
        for label in (0, 1):
            of_label = data["label"][r] == label
            wanted = round((1 - correlation) * of_label.sum())
            assert (of_label & (data["group"][r] == 1)).sum() == wanted == counts[f"minority_label_{label}"]
            assert of_label.sum() == counts[f"label_{label}"]
        assert (data["group"][r] == 1).sum() == counts["minority"]
        assert (data["group"][r] == 0).sum() == counts["majority"] == counts["all"] - counts["minority"]


def test_red_block_comes_first_and_is_equally_long(folder):
    colour = colored_mnist.load(folder, "train", [0, 1, 2])["colour"]
    red = (colour == 0).sum(axis=1)
    assert len(set(red.tolist())) == 1
    assert (colour[:, : red[0]] == 0).all() and (colour[:, red[0] :] == 1).all()


def test_splits_are_disjoint(folder, mnist_like):
    held = array_files.read_arrays(folder)
    for r in range(3):
        train, validation = held["train_index"][r], held["validation_index"][r]
        assert len(set(train)) == 1000 and len(set(validation)) == 100 and not set(train) & set(validation)
    assert len(set(held["test_index"])) == 120
    parent = array_files.read_arrays(mnist_like)  # test digits come from the parent's test split only
    pooled = parent["test_images"][held["test_index"]].reshape(120, 14, 2, 14, 2).sum((2, 4)).reshape(120, 196)
    assert (pooled == held["test_pool"]).all()
    assert (parent["test_labels"][held["test_index"]] == held["test_digit"]).all()


def test_stratified_as_the_pool(folder, mnist_like):
    share = (array_files.read_arrays(mnist_like)["train_labels"] >= 5).mean()
    counts = manifest.read(folder)["counts"]
    for split, size in (("train", 1000), ("validation", 100)):
        assert abs(counts[split]["label_1"] - size * share) <= 1
        data = colored_mnist.load(folder, split, [0, 1, 2])
        assert (data["label"].sum(axis=1) == counts[split]["label_1"]).all()


def test_the_whole_pool_can_be_used(tmp_path, mnist_like):
    config = {**CONFIG, "train": 1250, "validation": 250, "test": 300}
    colored_mnist.build(config, {"mnist": mnist_like}, tmp_path / "out")
    held = array_files.read_arrays(tmp_path / "out")
    for r in range(3):
        assert len(set(held["train_index"][r]) | set(held["validation_index"][r])) == 1500


def test_repetitions_differ_and_test_does_not(folder):
    train, test = (colored_mnist.load(folder, split, [0, 2]) for split in ("train", "test"))
    assert not np.array_equal(train["grey"][0], train["grey"][1])
    assert test["grey"].shape == (1, 120, 196) and "colour" not in test
    again = colored_mnist.load(folder, "train", [2])
    assert np.array_equal(again["grey"][0], train["grey"][1])
    validation = colored_mnist.load(folder, "validation", [1])
    assert validation["grey"].shape == (1, 100, 196) and validation["digit"].shape == (1, 100)
    assert train["grey"].dtype == np.float32 and train["label"].dtype == np.int64
    assert train["grey"].min() >= 0 and train["grey"].max() <= 1


def test_same_seed_same_bytes(folder, tmp_path, mnist_like):
    colored_mnist.build(CONFIG, {"mnist": mnist_like}, tmp_path / "same")
    for name in (array_files.ARRAYS, array_files.MANIFEST):
        assert (tmp_path / "same" / name).read_bytes() == (folder / name).read_bytes()
    colored_mnist.build({**CONFIG, "seed": 1}, {"mnist": mnist_like}, tmp_path / "other")
    colored_mnist.build({**CONFIG, "repetitions": 1}, {"mnist": mnist_like}, tmp_path / "fewer")
    held, other, fewer = (array_files.read_arrays(path) for path in (folder, tmp_path / "other", tmp_path / "fewer"))
    assert not np.array_equal(held["train_index"], other["train_index"])
    assert np.array_equal(held["train_index"][:1], fewer["train_index"])  # a repetition does not depend on their number
    assert manifest.read(folder)["sha256"] != manifest.read(tmp_path / "other")["sha256"]


def test_manifest_matches_rendered_pixels(folder):
    content = manifest.verify(folder, colored_mnist.describe)
    data = colored_mnist.load(folder, "train", [0, 1, 2])
    shown = colored_mnist.render(data["grey"].astype(float), data["colour"], data["background"])
    assert content["mean"] == pytest.approx(shown.mean(axis=(0, 1, 3)), abs=1e-7)
    assert content["std"] == pytest.approx(shown.std(axis=(0, 1, 3)), abs=1e-7)
    assert content["shape"] == [3, 14, 14]
    assert content["kind"] == "real-other" and "unverified" in content["label"]  # inherited from the parent
    assert content["source"]["parent_sha256"] and json.dumps(content["config"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"correlation": 1.5}, "correlation = 1.5; allowed: a number from 0.5 to 1"),
        ({"correlation": 0.4}, "correlation = 0.4; allowed: a number from 0.5 to 1"),
        ({"correlation": "99 %"}, "correlation = '99 %'; allowed: a number"),
        ({"correlation": float("nan")}, "correlation = nan; allowed: a number"),
        ({"resolution": 13}, "resolution = 13; allowed: 14, 28"),
        ({"resolution": 14.0}, "resolution = 14.0; allowed: 14, 28"),
        ({"train": 1401}, r"train = 1401; allowed: up to 1,400 \(1,500 digits less 100 validation\)"),
        ({"train": 10}, "train = 10; allowed: more images"),
        ({"train": 12.5}, "train = 12.5; allowed: a whole number from 2"),
        ({"test": 301}, "test = 301; allowed: up to 300"),
        ({"repetitions": 0}, "repetitions = 0; allowed: a whole number from 1"),
        ({"repetitions": True}, "repetitions = True; allowed: a whole number"),
        ({"background": {"red": [1, 0, 0]}}, "background: key 'green' is missing"),
        ({"background": {"red": [1, 0, 0], "green": [0, 2, 0]}}, "background.green.1 = 2; allowed: .* to 1 with 3"),
        ({"background": {"red": [1, 0, 0], "green": "lime"}}, "background.green = 'lime'; allowed: a list of numbers"),
        ({"background": {"red": [1, 0, 0], "green": [1, 0, 0]}}, "background: red = green = .*two different"),
        ({"parent": "fashion_mnist"}, "parent = 'fashion_mnist'; allowed: mnist"),
        ({"colour": 1}, "unknown key 'colour'; allowed: background, correlation"),
    ],
)
def test_refusals(mnist_like, tmp_path, change, told):
    with pytest.raises(UserError, match=f"colored_mnist(: |[.]){told}"):
        colored_mnist.build({**CONFIG, **change}, {"mnist": mnist_like}, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_parent_of_another_kind(folder, tmp_path):
    with pytest.raises(UserError, match="parent = 'mnist' is built by colored_mnist; allowed: one built by mnist"):
        colored_mnist.build(CONFIG, {"mnist": folder}, tmp_path / "out")


def test_load_refusals(folder):
    with pytest.raises(UserError, match="split = 'dev'; allowed: train, validation, test"):
        colored_mnist.load(folder, "dev", [0])
    with pytest.raises(UserError, match=r"repetitions = \[3\]; allowed: one or more of 0 to 2"):
        colored_mnist.load(folder, "train", [3])
    with pytest.raises(UserError, match="repetitions = "):
        colored_mnist.load(folder, "train", [])
