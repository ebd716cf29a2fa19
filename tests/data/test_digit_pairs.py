"""Pairs of digits: every picture drawn again from the digits, splits kept apart, and what is refused."""

from collections import Counter

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.digits import digit_pairs, mnist
from muon_imbalance.data.photos import cifar_format, step_imbalance
from muon_imbalance.data.store import array_files, manifest

CONFIG = {"train": 6, "test": 1}
STEP = {"parent": "digit_pairs", "classes": 100, "ratio": 4, "majority": 4, "resolution": 16, "validation": 2,
        "test": 1, "repetitions": 2}  # fmt: skip


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """130 training and 15 test digits of each kind, no two alike: enough to show each once, and too few."""
    facts = {"name": "mnist", "kind": "real", "label": "MNIST", "source": {"name": "made"}, "licence": "none",
             "citation": "made", "builder": "mnist", "config": {}}  # fmt: skip
    rng, arrays = np.random.default_rng(5), {}
    for split, each in (("train", 130), ("test", 15)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (10 * each, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = rng.permutation(np.repeat(np.arange(10), each)).astype(np.uint8)
    folder = tmp_path_factory.mktemp("digits") / "mnist"
    manifest.write(folder, arrays, facts, mnist.describe(arrays))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    out = tmp_path_factory.mktemp("pairs") / "digit_pairs"
    digit_pairs.build(CONFIG, {"digits": digits}, out)
    return out


def check_pictures(folder, digits):
    """Each pixel from the two digits that the picture is said to show, of its split and its class."""
    held, shown = array_files.read_arrays(folder), array_files.read_arrays(digits)
    for split in ("train", "test"):
        images, labels = shown[f"{split}_images"].astype(float), shown[f"{split}_labels"]
        for picture, number, pair in zip(*(held[f"{split}_{key}"][::7] for key in ("images", "labels", "pair")),
                                         strict=True):  # fmt: skip
            assert "".join(str(labels[place]) for place in pair) == f"{number:02d}"
            expected = np.zeros((32, 32, 3))
            for side, place in enumerate(pair):
                for column in range(14):
                    mean = (images[place][:, 2 * column] + images[place][:, 2 * column + 1]) / 2
                    expected[2:30, 16 * side + 1 + column] = np.floor(mean + 0.5)[:, None]
            np.testing.assert_array_equal(picture, expected)


def test_pictures_are_two_digits_side_by_side(folder, digits):
    check_pictures(folder, digits)


def test_counts_and_manifest(folder, digits):
    content = manifest.verify(folder, cifar_format.describe)
    assert content["counts"]["train"] == {"all": 600} | {f"class_{c}": 6 for c in range(100)}
    assert content["counts"]["test"]["all"] == 100 and content["shape"] == [3, 32, 32]
    assert (content["kind"], content["name"]) == ("composed", "digit_pairs")
    assert content["label"] == "Digit pairs 00 to 99 (of MNIST; classes share digits; not CIFAR-100)"
    assert content["source"]["digits"]["sha256"] == manifest.read(digits)["sha256"]
    pictures = cifar_format.load(folder, "train")["images"]
    np.testing.assert_allclose(content["mean"], (pictures / 255).mean((0, 1, 2)))


def test_a_digit_is_shown_once(folder):
    """Once on each side; once at all where there are enough, as there are of training digits here."""
    held = array_files.read_arrays(folder)
    assert max(Counter(held["train_pair"].ravel().tolist()).values()) == 1
    for side in held["test_pair"].T:
        assert len(set(side.tolist())) == 100
    both = Counter(held["test_pair"].ravel().tolist())
    assert len(both) == 150 and max(both.values()) == 2


def test_training_and_test_pictures_share_no_digit(folder, digits):
    """Digits are told by their pixels: no half of a test picture is half of a training picture."""
    halves = {}
    for split in ("train", "test"):
        images = cifar_format.load(folder, split)["images"]
        halves[split] = {half.tobytes() for half in np.concatenate([images[:, :, :16], images[:, :, 16:]])}
    assert len(halves["train"]) == 1200 and not halves["train"] & halves["test"]


def test_same_seed_same_bytes(folder, tmp_path, digits):
    digit_pairs.build(CONFIG, {"digits": digits}, tmp_path / "same")
    for name in (array_files.ARRAYS, array_files.MANIFEST):
        assert (tmp_path / "same" / name).read_bytes() == (folder / name).read_bytes()
    digit_pairs.build({**CONFIG, "seed": 1}, {"digits": digits}, tmp_path / "other")
    pairs = [array_files.read_arrays(one)["train_pair"] for one in (folder, tmp_path / "other")]
    assert not np.array_equal(*pairs)


def test_minority_classes_have_rare_first_digits_and_common_second_ones(folder, tmp_path):
    """STEP's first half of the classes: first digits 0 to 4; each second digit is as frequent as any other."""
    step_imbalance.build(STEP, {"digit_pairs": folder}, tmp_path / "step")
    content = manifest.verify(tmp_path / "step", step_imbalance.describe)
    assert content["kind"] == "composed" and content["source"]["parent"] == "digit_pairs"
    assert content["label"].startswith(
        "Digit pairs 00 to 99 (of MNIST; classes share digits; not CIFAR-100), STEP R = 4"
    )
    label = step_imbalance.load(tmp_path / "step", "train", [0])["label"][0]
    assert np.bincount(label // 10).tolist() == [40] * 5 + [10] * 5
    assert np.bincount(label % 10).tolist() == [25] * 10


def test_what_is_not_mnist_is_not_called_so(tmp_path, mnist_like):
    digit_pairs.build(CONFIG, {"digits": mnist_like}, tmp_path / "out")
    content = manifest.read(tmp_path / "out")
    assert "(of MNIST-format digits of the user (unverified);" in content["label"] and content["kind"] == "composed"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"train": 14}, r"train = 14; allowed: at most 13 \(130 training digits of a kind, 10 of them a picture\)"),
        ({"test": 2}, r"test = 2; allowed: at most 1 \(15 test digits of a kind"),
        ({"test": 0}, "test = 0; allowed: a whole number from 1"),
        ({"seed": -1}, "seed = -1; allowed: a whole number from 0"),
        ({"classes": 100}, "unknown key 'classes'; allowed: "),
    ],
)
def test_refusals(digits, tmp_path, change, told):
    with pytest.raises(UserError, match=f"digit_pairs(: |[.]){told}"):
        digit_pairs.build({**CONFIG, **change}, {"digits": digits}, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_parent_of_another_kind(folder, tmp_path):
    with pytest.raises(UserError, match="digits = 'digit_pairs' is built by digit_pairs; allowed: one built by mnist"):
        digit_pairs.build(CONFIG, {"digits": folder}, tmp_path / "out")


# --- mutations: a wrong construction must not pass the checks above ---------------------------------------------


def swapped(labels, each, rng, drawn=digit_pairs.drawn):
    pair, number = drawn(labels, each, rng)
    return pair[:, ::-1], number


def one_column_of_two(digits, pair):
    framed = np.pad(digits[:, :, ::2], ((0, 0), (2, 2), (1, 1)))
    return np.repeat(np.concatenate([framed[pair[:, 0]], framed[pair[:, 1]]], axis=2)[..., None], 3, axis=3)


def always_training_digits(digits, pair, shown=[], draw=digit_pairs.side_by_side):  # noqa: B006 (kept on purpose)
    shown.append(digits)
    return draw(shown[0], pair)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("drawn", swapped), ("side_by_side", one_column_of_two), ("side_by_side", always_training_digits)],
)
def test_a_wrong_construction_is_noticed(monkeypatch, tmp_path, digits, name, wrong):
    monkeypatch.setattr(digit_pairs, name, wrong)
    digit_pairs.build(CONFIG, {"digits": digits}, tmp_path / "out")
    with pytest.raises(AssertionError):
        check_pictures(tmp_path / "out", digits)
    assert len(cifar_format.load(tmp_path / "out", "test")["label"]) == 100
