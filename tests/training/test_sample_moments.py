"""Sampled moments: from the data set to the gradient, the sample's own basis, the deleted part B."""

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import array_files
from muon_imbalance.data.tables import gaussian_mixture
from tests.training.small_tasks import made

MIXTURE = {"k": 3, "d": 4, "p": [0.5, 0.3, 0.2], "mu": 1.5, "sigma2": 0.09}
DATA = {"classes": 3, "dimension": 4, "prior": [0.5, 0.3, 0.2], "mean_norm": 1.5, "means": "orthogonal", "noise": 0.3,
        "train": 400, "labels": "drawn", "test_per_class": 1, "repetitions": 3}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "mixture"
    gaussian_mixture.build(DATA, {}, folder)
    return folder


def task_of(data, *variants, seeds=None, std=0.01, **changes):
    settings = {
        "mixture": MIXTURE,
        "dataset": {"name": "mixture", "builder": "gaussian_mixture", "config": DATA},
        "model": {"init_std": std},
    }
    settings |= changes
    models = [settings | {"off_diagonal": variant} for variant in variants]
    return made("sample_moments", models, seeds or [0] * len(variants), data)


def off_diagonal(matrix):
    rest = matrix.clone()
    rest.fill_diagonal_(0)
    return rest


def test_loss_and_gradient_are_those_of_the_sample(data):
    task = task_of(data, "keep", "keep", seeds=[0, 2])
    drawn = gaussian_mixture.load(data, "train", [0, 2])
    weight = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    loss, grads, _ = task.gradients({"weight": weight}, False)
    for model in range(2):
        x, y = drawn["inputs"][model], np.eye(3)[drawn["label"][model]]
        error = x @ weight[model].numpy().T - y
        assert loss[model] == pytest.approx(0.5 * (error**2).sum(1).mean())
        np.testing.assert_allclose(grads["weight"][model].numpy(), error.T @ x / len(x), atol=1e-12)


def test_the_population_basis_is_that_of_the_means(data):
    task = task_of(data, "keep", "keep", seeds=[1, 2])
    means = array_files.read_arrays(data)["means"][[1, 2]]
    np.testing.assert_allclose(task.v[:, :, :3].mT.numpy(), means / 1.5, atol=1e-12)
    identity = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    torch.testing.assert_close(task.v.mT @ task.v, identity)
    values = task.evaluate({"weight": 0.6 * torch.from_numpy(means) / 1.5})
    assert torch.stack([values["population", f"class_{c}", "alpha"] for c in range(3)]).numpy() == pytest.approx(0.6)


@pytest.mark.parametrize("broken", [False, True])
def test_deleting_b_makes_the_sample_jointly_diagonal(data, broken):
    """``broken`` keeps B: the check must notice (mutation)."""
    kept, deleted = task_of(data, "keep", "keep" if broken else "delete").sigma_xx
    task = task_of(data, "delete")
    u, v = task.own_u[0], task.own_v[0]
    assert off_diagonal(u.mT @ task.sigma_yx[0] @ v).abs().max() < 1e-12
    rotated, whole = v.mT @ deleted @ v, v.mT @ kept @ v
    assert (off_diagonal(rotated).abs().max() < 1e-12) != broken
    torch.testing.assert_close(torch.diagonal(whole), torch.diagonal(rotated))
    part = off_diagonal(whole)
    share = torch.linalg.matrix_norm(part) / torch.linalg.matrix_norm(whole - part)
    assert float(task.share[0]) == pytest.approx(float(share)) and 0.001 < float(share) < 0.2


def test_singular_pairs_belong_to_their_classes(data):
    """Also where the class order is not that of the singular values: component c is class c."""
    task = task_of(data, "keep")
    cross = task.own_u[0].mT @ task.sigma_yx[0] @ task.own_v[0]
    counts = np.bincount(gaussian_mixture.load(data, "train", [0])["label"][0]) / 400
    assert torch.diagonal(cross).numpy() == pytest.approx(1.5 * counts, rel=0.1)
    assert (torch.diagonal(task.own_u[0]).abs() > 0.9).all()


def test_variants_start_at_the_same_small_weights(data):
    kept, deleted, other = task_of(data, "keep", "delete", "keep", seeds=[0, 0, 1], std=0.02).init()["weight"]
    assert torch.equal(kept, deleted) and not torch.equal(kept, other)
    many = torch.stack([task_of(data, "keep", seeds=[s], std=0.02).init()["weight"][0] for s in (0, 1, 2)])
    assert 0.01 < float(many.std()) < 0.03


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ({"sigma2": 0.1}, r"dataset mixture: noise gives 0\.09, the mixture has 0\.1"),
        ({"mu": 1.0}, "mean_norm gives 1.5, the mixture has 1.0"),
        ({"p": [0.6, 0.2, 0.2]}, "prior gives"),
        ({"d": 5}, "dimension gives 4, the mixture has 5"),
    ],
)
def test_a_data_set_of_another_mixture_is_refused(data, mixture, message):
    with pytest.raises(UserError, match=message):
        task_of(data, "keep", mixture=MIXTURE | mixture)
