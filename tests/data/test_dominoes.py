"""Dominoes: the construction recounted picture by picture, and what is refused."""

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.photos import dominoes, fractal100
from muon_imbalance.data.pooling import pool
from muon_imbalance.data.store import array_files, manifest

CONFIG = {"correlation": 0.9, "resolution": 16, "train": 60, "validation": 20, "test": 20, "repetitions": 2}


@pytest.fixture(scope="module")
def parents(tmp_path_factory, mnist_like):
    photos = tmp_path_factory.mktemp("photos") / "cifar10"
    fractal100.build({"classes": 10, "train": 90, "test": 30}, {}, photos)
    return {"digits": mnist_like, "photos": photos}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, parents):
    out = tmp_path_factory.mktemp("dominoes") / "dominoes"
    dominoes.build(CONFIG, parents, out)
    return out


def test_counts_of_groups(folder):
    counts = manifest.verify(folder, dominoes.describe)["counts"]
    train = {"automobile_0": 54, "automobile_1": 6, "truck_0": 6, "truck_1": 54}
    assert counts["train"] == {"all": 120, "class_0": 60, "class_1": 60} | train
    for split in ("validation", "test"):
        assert counts[split] == {"all": 40, "class_0": 20, "class_1": 20} | dict.fromkeys(dominoes.GROUPS, 10)


def test_pictures_are_a_digit_above_a_photo(folder, parents):
    """Upper and lower half of every picture are those of a digit and of a photo of the right kind, averaged."""
    for split, files in (("train", "train"), ("validation", "train"), ("test", "test")):
        digits, photos = (array_files.read_arrays(parents[role]) for role in ("digits", "photos"))
        for repetition in range(2):
            held = dominoes.load(folder, split, [repetition])
            images, label, group = (held[key][0] for key in ("images", "label", "group"))
            assert images.shape == (len(label), 32, 16, 3) and (label == group // 2).all()
            for picture, c, digit in zip(images[::7], label[::7], group[::7] % 2, strict=True):
                top = picture[:16, :, 0]
                assert (picture[:16] == top[..., None]).all() and not top[0].any() and not top[:, -1].any()
                shown = digits[f"{files}_images"][digits[f"{files}_labels"] == digit]
                small = pool(shown, 2).reshape(len(shown), 14, 14)
                assert (small == top[1:-1, 1:-1]).all((1, 2)).any()
                seen = photos[f"{files}_images"][photos[f"{files}_labels"] == (1, 9)[c]].astype(int)
                blocks = seen.reshape(len(seen), 16, 2, 16, 2, 3).sum((2, 4))
                assert (blocks == picture[16:]).all((1, 2, 3)).any()


def test_no_picture_is_used_twice(folder):
    held = array_files.read_arrays(folder)
    for r in range(2):
        pairs = np.concatenate([held["train_pair"][r], held["validation_pair"][r]])
        for column in (*pairs.T, *held["test_pair"][r].T):
            assert len(np.unique(column)) == len(column)
    assert (held["train_pair"][0] != held["train_pair"][1]).any()


def test_scaling(tmp_path, parents, folder):
    dominoes.build(CONFIG | {"pixel_mean": 0.3, "pixel_std": 0.5}, parents, tmp_path / "scaled")
    held = dominoes.load(tmp_path / "scaled", "test", [1])
    assert (held["mean"] == 0.3 * 255 * 4).all() and (held["std"] == 0.5 * 255 * 4).all()
    assert (held["images"] == dominoes.load(folder, "test", [1])["images"]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correlation": 1.5}, "correlation = 1.5; allowed: a number from 0.5 to 1"),
        ({"resolution": 28}, "resolution = 28; allowed: 8, 16, 32"),
        ({"validation": 21}, "validation = 21; allowed: a whole number from 2, a multiple of 2"),
        ({"train": 80}, "validation = 20; allowed: fewer pictures: the train files have too few photos"),
        ({"test": 40}, "test = 40; allowed: fewer pictures: the test files have too few"),
        ({"bits": 3}, "unknown key 'bits'; allowed: correlation"),
    ],
)
def test_refused(tmp_path, parents, changes, message):
    with pytest.raises(UserError, match=message):
        dominoes.build(CONFIG | changes, parents, tmp_path / "out")
