"""Barcoded MNIST: the construction recounted from the arrays, image by image, and what is refused."""

import json
from itertools import product

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.digits import barcoded_mnist, mnist
from muon_imbalance.data.store import array_files, manifest

CONFIG = {"resolution": 14, "bits": 3, "train": 400, "validation": 200, "per_class": 5, "validation_per_class": 2,
          "repetitions": 3}  # fmt: skip
CLASSES = 10 + 10 * 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory, mnist_like):
    out = tmp_path_factory.mktemp("barcoded") / "barcoded_mnist"
    barcoded_mnist.build(CONFIG, {"mnist": mnist_like}, out)
    return out


@pytest.fixture(scope="module")
def held(folder):
    return array_files.read_arrays(folder)


def test_half_of_the_samples_are_in_the_tail(folder, held):
    assert barcoded_mnist.classes(CONFIG) == CLASSES
    for split, plain, each in (("train", 400, 5), ("validation", 200, 2)):
        for label in held[f"{split}_label"]:
            assert (label[:plain] < 10).all() and (label[plain:] >= 10).all()
            counts = np.bincount(label, minlength=CLASSES)
            assert len(counts) == CLASSES and (counts[10:] == each).all() and counts[:10].sum() == plain
    assert (held["train_label"] >= 10).mean() == 0.5


def test_the_papers_numbers():
    """10,250 classes; 50,000 and 51,200 training samples."""
    values = barcoded_mnist.Options().model_dump()
    assert barcoded_mnist.classes({}) == 10_250
    assert (values["resolution"], values["train"], values["validation"]) == (28, 50_000, 10_000)
    assert values["per_class"] * (barcoded_mnist.classes({}) - 10) == 51_200
    assert values["validation_per_class"] == 1


def test_every_barcode_meets_every_digit(held):
    """Class numbers as in the source: barcodes in the order of counting, and the ten digits within each."""
    number = {}
    for place, (code, digit) in enumerate(product(product([0, 1], repeat=3), range(10))):
        number[10 + place] = (code, digit)
    label, index = held["train_label"][1], held["train_index"][1]
    shown = held["digit"][index]
    codes = barcoded_mnist.barcodes(label, 3)
    for sample in range(len(label)):
        code, digit = number.get(int(label[sample]), ((0, 0, 0), int(label[sample])))
        assert tuple(codes[sample].astype(int)) == code and shown[sample] == digit


def test_marked_images_show_training_digits_of_the_majority(held):
    for r in range(3):
        index = {split: held[f"{split}_index"][r] for split in ("train", "validation")}
        plain = {"train": set(index["train"][:400]), "validation": set(index["validation"][:200])}
        assert len(plain["train"]) == 400 and not plain["train"] & plain["validation"]
        assert set(index["train"][400:]) <= plain["train"]
        assert set(index["validation"][200:]) <= plain["validation"]
        assert len(set(index["train"][400:])) < 400, "drawn with replacement"


def test_pixels(folder, held, mnist_like):
    """An image is the digit, averaged over 2 x 2 pixels, with its barcode in white from the top left corner on."""
    images = array_files.read_arrays(mnist_like)["train_images"].astype(float)
    data = barcoded_mnist.load(folder, "train", [2], standardise=False)
    for sample in (0, 399, 400, 430, 604, 799):
        expected = images[held["train_index"][2, sample]].reshape(14, 2, 14, 2).mean((1, 3)) / 255
        label = int(data["label"][0, sample])
        code = format((label - 10) // 10, "03b") if label >= 10 else "000"
        for column, bit in enumerate(code):
            if bit == "1":
                expected[0, column] = 1.0
        np.testing.assert_allclose(data["inputs"][0, sample].reshape(14, 14), expected, atol=1e-6)


def test_unmarked_classes_look_like_the_majority(folder, held):
    """The quirk of the source: the barcode without any pixel is one of them."""
    data = barcoded_mnist.load(folder, "train", [0])
    label, inputs, index = data["label"][0], data["inputs"][0], held["train_index"][0]
    unmarked = np.flatnonzero((label >= 10) & (label < 20))
    assert len(unmarked) == 50 == manifest.read(folder)["counts"]["train"]["unmarked"]
    for sample in unmarked:
        (twin,) = np.flatnonzero(index[:400] == index[sample])
        assert np.array_equal(inputs[sample], inputs[twin]) and label[twin] == label[sample] - 10


def test_groups(folder):
    data = barcoded_mnist.load(folder, "validation", [0, 2])
    assert data["inputs"].shape == (2, 360, 196) and data["inputs"].dtype == np.float32
    assert np.array_equal(data["group"], (data["label"] >= 10).astype(int))
    assert barcoded_mnist.GROUPS == ("majority", "minority")


def test_pixels_are_standardised_by_the_training_images(folder, held):
    raw, data = (barcoded_mnist.load(folder, "train", [1], standardise=flag)["inputs"][0] for flag in (False, True))
    expected = (raw.astype(float) - raw.mean(0, dtype=float)) / raw.std(0, dtype=float, ddof=1)
    np.testing.assert_allclose(data, expected, atol=2e-5)
    other = barcoded_mnist.load(folder, "validation", [1])["inputs"][0]
    plain = barcoded_mnist.load(folder, "validation", [1], standardise=False)["inputs"][0]
    np.testing.assert_allclose(other, (plain - raw.mean(0, dtype=float)) / raw.std(0, dtype=float, ddof=1), atol=2e-5)


def test_a_constant_pixel_is_left_as_it_is(tmp_path, mnist_like):
    arrays = array_files.read_arrays(mnist_like)
    for split in ("train", "test"):
        arrays[f"{split}_images"] = arrays[f"{split}_images"].copy()
        arrays[f"{split}_images"][:, 26:, 26:] = 0
    facts = {key: manifest.read(mnist_like)[key] for key in
             ("name", "kind", "label", "source", "licence", "citation", "builder", "config")}  # fmt: skip
    manifest.write(tmp_path / "mnist", arrays, facts, mnist.describe(arrays))
    barcoded_mnist.build(CONFIG, {"mnist": tmp_path / "mnist"}, tmp_path / "out")
    data = barcoded_mnist.load(tmp_path / "out", "train", [0])
    assert not data["inputs"][:, :, -1].any() and np.isfinite(data["inputs"]).all()


def test_manifest_is_recounted_and_an_altered_array_noticed(folder, tmp_path, held):
    content = manifest.verify(folder, barcoded_mnist.describe)
    counts = content["counts"]["train"]
    assert (counts["all"], counts["majority"], counts["minority"]) == (800, 400, 400)
    assert (counts["majority_classes"], counts["minority_classes"]) == (10, 80)
    assert (counts["smallest_minority_class"], counts["largest_minority_class"]) == (5, 5)
    assert sum(counts[f"class_{c}"] for c in range(10)) == 400
    assert content["counts"]["validation"]["minority"] == 160
    raw = barcoded_mnist.load(folder, "train", [0, 1, 2], standardise=False)["inputs"].astype(float)
    assert content["mean"] == pytest.approx(raw.mean(), abs=1e-6)
    assert content["std"] == pytest.approx(raw.std(), abs=1e-6)
    assert content["shape"] == [1, 14, 14] and "90 classes, n = 800" in content["label"]
    assert content["kind"] == "real-other" and "Kunstner" in content["citation"]
    assert json.dumps(content["config"]) and content["source"]["parent_sha256"]
    altered = held | {"train_label": held["train_label"].copy()}
    altered["train_label"][0, 400] = 3  # a minority sample counted with the majority
    text = (folder / array_files.MANIFEST).read_text()
    array_files.publish(tmp_path / "bad", altered, text)
    with pytest.raises(UserError, match="counts is .* but the arrays give"):
        manifest.verify(tmp_path / "bad", barcoded_mnist.describe)


def test_same_seed_same_bytes(folder, tmp_path, mnist_like, held):
    barcoded_mnist.build(CONFIG, {"mnist": mnist_like}, tmp_path / "same")
    for name in (array_files.ARRAYS, array_files.MANIFEST):
        assert (tmp_path / "same" / name).read_bytes() == (folder / name).read_bytes()
    barcoded_mnist.build({**CONFIG, "seed": 1}, {"mnist": mnist_like}, tmp_path / "other")
    barcoded_mnist.build({**CONFIG, "repetitions": 1}, {"mnist": mnist_like}, tmp_path / "fewer")
    other, fewer = (array_files.read_arrays(tmp_path / name) for name in ("other", "fewer"))
    assert not np.array_equal(held["train_index"], other["train_index"])
    assert np.array_equal(held["train_index"][:1], fewer["train_index"])  # a repetition does not depend on their number
    assert not np.array_equal(held["train_index"][0], held["train_index"][1])


def test_full_resolution(tmp_path, mnist_like):
    config = {**CONFIG, "resolution": 28, "bits": 5, "per_class": 1, "repetitions": 1}
    barcoded_mnist.build(config, {"mnist": mnist_like}, tmp_path / "out")
    raw = barcoded_mnist.load(tmp_path / "out", "train", [0], standardise=False)
    last = raw["inputs"][0, -1].reshape(28, 28)  # barcode 11111
    assert (last[0, :5] == 1).all() and manifest.read(tmp_path / "out")["shape"] == [1, 28, 28]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bits": 0}, "bits = 0; allowed: a whole number from 1"),
        ({"bits": 13}, "bits = 13; allowed: a whole number from 1 to 12"),
        ({"resolution": 7}, "resolution = 7; allowed: 14, 28"),
        ({"train": 1400}, r"train = 1400; allowed: up to 1,300 \(1,500 digits less 200 validation\)"),
        ({"train": 10}, "train = 10; allowed: more digits"),
        ({"per_class": 0}, "per_class = 0; allowed: a whole number from 1"),
        ({"validation_per_class": 0.5}, "validation_per_class = 0.5; allowed: a whole number"),
        ({"repetitions": 0}, "repetitions = 0; allowed: a whole number from 1"),
        ({"parent": "fashion_mnist"}, "parent = 'fashion_mnist'; allowed: mnist"),
        ({"classes": 650}, "unknown key 'classes'; allowed: bits"),
    ],
)
def test_refusals(mnist_like, tmp_path, change, told):
    with pytest.raises(UserError, match=f"barcoded_mnist(: |[.]){told}"):
        barcoded_mnist.build({**CONFIG, **change}, {"mnist": mnist_like}, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_parent_of_another_kind(folder, tmp_path):
    with pytest.raises(UserError, match="parent = 'mnist' is built by barcoded_mnist; allowed: one built by mnist"):
        barcoded_mnist.build(CONFIG, {"mnist": folder}, tmp_path / "out")


def test_load_refusals(folder):
    with pytest.raises(UserError, match="split = 'test'; allowed: train, validation"):
        barcoded_mnist.load(folder, "test", [0])
    with pytest.raises(UserError, match=r"repetitions = \[3\]; allowed: one or more of 0 to 2"):
        barcoded_mnist.load(folder, "train", [3])


# --- mutations: a wrong construction must not pass the checks above ------------------------------------------


def rebuilt(monkeypatch, mnist_like, out, attribute, wrong):
    monkeypatch.setattr(barcoded_mnist, attribute, wrong)
    barcoded_mnist.build(CONFIG, {"mnist": mnist_like}, out)
    return out


def test_reversed_barcodes_are_noticed(monkeypatch, mnist_like, tmp_path):
    right = barcoded_mnist.barcodes
    out = rebuilt(
        monkeypatch, mnist_like, tmp_path / "x", "barcodes", lambda label, bits: right(label, bits)[..., ::-1]
    )
    with pytest.raises(AssertionError):
        test_every_barcode_meets_every_digit(array_files.read_arrays(out))
    with pytest.raises(AssertionError):
        test_pixels(out, array_files.read_arrays(out), mnist_like)


def test_population_standard_deviation_is_noticed(monkeypatch, mnist_like, tmp_path):
    def moments(images):
        return images.mean(0), images.std(0)

    out = rebuilt(monkeypatch, mnist_like, tmp_path / "x", "_moments", moments)
    with pytest.raises(AssertionError):
        test_pixels_are_standardised_by_the_training_images(out, array_files.read_arrays(out))
