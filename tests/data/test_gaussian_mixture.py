"""The Gaussian mixture: class counts, means, moments against Lemma 3.1, determinism, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.data.tables import gaussian_mixture

CONFIG = {"classes": 6, "dimension": 15, "train": 90, "test_per_class": 7, "repetitions": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("mixture") / "gaussian_mixture"
    gaussian_mixture.build(CONFIG, {}, out)
    return out


def test_shapes_counts_and_manifest(folder):
    train, test = (gaussian_mixture.load(folder, split, [0, 1]) for split in ("train", "test"))
    assert train["inputs"].shape == (2, 90, 15) and train["inputs"].dtype == np.float64
    assert train["label"].shape == (2, 90) and train["label"].dtype == np.int64
    exact = 90 / np.arange(1, 7) / (1 / np.arange(1, 7)).sum()  # zipf
    counts = np.bincount(train["label"][0])
    assert (np.abs(counts - exact) < 1).all() and counts.sum() == 90
    assert (np.bincount(test["label"][1]) == 7).all()
    content = manifest.verify(folder, gaussian_mixture.describe)
    assert content["counts"]["train"] == {"all": 90} | {f"class_{c}": n for c, n in enumerate(counts.tolist())}
    assert content["kind"] == "generated" and content["shape"] == [15]
    assert not np.array_equal(train["inputs"][0], train["inputs"][1])


def test_means(folder, tmp_path):
    means = array_files.read_arrays(folder)["means"]
    assert np.linalg.norm(means, axis=2) == pytest.approx(np.ones((2, 6)))
    assert np.abs(means[0] @ means[0].T - np.eye(6)).max() > 0.01  # random directions are only nearly orthogonal
    gaussian_mixture.build({**CONFIG, "means": "orthogonal", "mean_norm": 3.0}, {}, tmp_path / "out")
    for rows in array_files.read_arrays(tmp_path / "out")["means"]:
        assert rows @ rows.T == pytest.approx(9 * np.eye(6), abs=1e-12)


def test_moments_against_lemma_3_1(tmp_path):
    """E[x x^T] = V (S_xx) V^T and E[e_y x^T] = S_yx V^T with s_xx = mu^2 p_c + sigma^2, s_yx = mu p_c."""
    p, mu, sigma, n, d = np.array([0.5, 0.3, 0.15, 0.05]), 1.5, 0.7, 40_000, 7
    config = {"classes": 4, "dimension": d, "prior": p.tolist(), "mean_norm": mu, "means": "orthogonal"}
    config |= {"noise": sigma, "train": n, "test_per_class": 1, "repetitions": 1}
    gaussian_mixture.build(config, {}, tmp_path / "out")
    data = gaussian_mixture.load(tmp_path / "out", "train", [0])
    x, y = data["inputs"][0], np.eye(4)[data["label"][0]]
    means = array_files.read_arrays(tmp_path / "out")["means"][0]
    v = np.linalg.qr(np.hstack([means.T / mu, np.random.default_rng(0).standard_normal((d, d - 4))]))[0]
    v[:, :4] = means.T / mu
    s_xx = np.diag(np.r_[mu**2 * p + sigma**2, np.full(d - 4, sigma**2)])
    s_yx = np.hstack([np.diag(mu * p), np.zeros((4, d - 4))])
    for left, right, wanted in ((x, x, v @ s_xx @ v.T), (y, x, s_yx @ v.T)):
        products = left[:, :, None] * right[:, None, :]
        error, spread = products.mean(axis=0) - wanted, products.std(axis=0) / np.sqrt(n)
        assert (np.abs(error) <= 5 * spread + 1e-12).all()
        assert np.sqrt((error**2).mean() / (spread**2).mean()) < 1.6  # no systematic part hidden below 5 sigma
    seen = (x @ v[:, -1]).var()  # the bound bites: a noise level wrong by 5 % is outside it
    assert abs(seen - (1.05 * sigma) ** 2) > 5 * seen * np.sqrt(2 / n)


def test_step_imbalance(tmp_path):
    """Fig. 31: 200 samples of each majority class, 10 of each minority class; an odd number has one more majority."""
    config = {"classes": 10, "dimension": 12, "prior": {"step": 20}, "means": "orthogonal", "train": 1050}
    gaussian_mixture.build({**config, "test_per_class": 1, "repetitions": 1}, {}, tmp_path / "out")
    held = array_files.read_arrays(tmp_path / "out")
    assert np.bincount(held["train_label"]).tolist() == [200] * 5 + [10] * 5
    assert held["prior"] == pytest.approx([20 / 105] * 5 + [1 / 105] * 5)
    assert gaussian_mixture.class_sets(config) == {"majority": [0, 1, 2, 3, 4], "minority": [5, 6, 7, 8, 9]}
    assert gaussian_mixture.class_sets({"classes": 3, "prior": {"step": 2}}) == {"majority": [0, 1], "minority": [2]}
    assert gaussian_mixture.class_sets({"prior": "zipf"}) == gaussian_mixture.class_sets({}) == {}


def test_same_seed_same_bytes(folder, tmp_path):
    gaussian_mixture.build(CONFIG, {}, tmp_path / "same")
    assert (tmp_path / "same" / array_files.ARRAYS).read_bytes() == (folder / array_files.ARRAYS).read_bytes()
    gaussian_mixture.build({**CONFIG, "seed": 1}, {}, tmp_path / "other")
    assert manifest.read(tmp_path / "other")["sha256"] != manifest.read(folder)["sha256"]
    gaussian_mixture.build({**CONFIG, "repetitions": 1}, {}, tmp_path / "fewer")
    fewer, held = (gaussian_mixture.load(path, "train", [0]) for path in (tmp_path / "fewer", folder))
    assert np.array_equal(fewer["inputs"], held["inputs"])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=30), st.integers(0, 2000))
def test_class_counts(weights, extra):
    prior = np.array(weights) / sum(weights)
    total = len(weights) + extra
    counts = gaussian_mixture.class_counts(prior, total)
    assert counts.sum() == total and counts.min() >= 1
    if (prior * total >= 1).all():
        assert (np.abs(counts - prior * total) < 1 + 1e-6).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"classes": 1}, "classes = 1; allowed: a whole number from 2"),
        ({"train": 5}, "train = 5; allowed: a whole number from 6"),
        ({"noise": -0.1}, "noise = -0.1; allowed: a number from 0"),
        ({"mean_norm": 0}, "mean_norm = 0; allowed: a number above 0"),
        ({"means": "fixed"}, "means = 'fixed'; allowed: random, orthogonal"),
        ({"means": "orthogonal", "dimension": 5}, "dimension = 5; allowed: at least 6"),
        ({"prior": "flat"}, "prior = 'flat'; allowed: zipf or a map of step or a list of numbers above 0"),
        ({"prior": [0.5, 0.5]}, "prior = .*; allowed: zipf, {step: ratio}, or 6 numbers that sum to 1"),
        ({"prior": {"step": 0.5}}, "prior.* = .*0.5.*; allowed: "),
        ({"prior": {"step": "20"}}, "prior.* = .*; allowed: "),
        ({"prior": {"steps": 20}}, "prior: unknown key 'steps'; allowed: step"),
        ({"prior": [0.5, 0.1, 0.1, 0.1, 0.1, 0.2]}, "prior = .* that sum to 1"),
        ({"prior": [1.2, -0.2, 0, 0, 0, 0]}, "prior = .*; allowed"),
        ({"sigma": 1}, "unknown key 'sigma'; allowed: classes"),
    ],
)
def test_refusals(tmp_path, change, told):
    with pytest.raises(UserError, match=f"gaussian_mixture(: |[.]){told}"):
        gaussian_mixture.build({**CONFIG, **change}, {}, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_load_refusals(folder):
    with pytest.raises(UserError, match="split = 'validation'; allowed: train, test"):
        gaussian_mixture.load(folder, "validation", [0])
    with pytest.raises(UserError, match="repetitions = .*0 to 1"):
        gaussian_mixture.load(folder, "train", [2])


def test_drawn_labels_scatter_like_multinomial_counts(tmp_path):
    prior = [0.5, 0.3, 0.2]
    config = {"classes": 3, "dimension": 3, "prior": prior, "train": 200, "test_per_class": 2, "repetitions": 40}
    gaussian_mixture.build({**config, "labels": "drawn"}, {}, tmp_path / "drawn")
    data = gaussian_mixture.load(tmp_path / "drawn", "train", range(40))
    counts = np.stack([np.bincount(label, minlength=3) for label in data["label"]])
    assert (counts.sum(1) == 200).all() and len(np.unique(counts[:, 0])) > 5
    spread = np.sqrt(200 * np.array(prior) * (1 - np.array(prior)))
    assert (np.abs(counts.mean(0) - 200 * np.array(prior)) < 4 * spread / np.sqrt(40)).all()
    assert (np.abs(counts.std(0) / spread - 1) < 0.5).all()
    means = array_files.read_arrays(tmp_path / "drawn")["means"]
    own = np.stack([x[y == 0].mean(0) for x, y in zip(data["inputs"], data["label"], strict=True)])
    assert np.abs(own - means[:, 0]).max() < 0.2  # inputs belong to the labels of their repetition
    some = gaussian_mixture.load(tmp_path / "drawn", "train", [7, 3])
    assert (some["label"] == data["label"][[7, 3]]).all()
    found = manifest.verify(tmp_path / "drawn", gaussian_mixture.describe)["counts"]["train"]
    assert found["all"] == 200 and found["class_1"] == pytest.approx(counts[:, 1].mean())
    with pytest.raises(UserError, match="labels = 'random'; allowed: rounded, drawn"):
        gaussian_mixture.build({**config, "labels": "random"}, {}, tmp_path / "wrong")
