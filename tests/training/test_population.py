"""The population task against sampling, automatic differentiation and the closed forms."""

import numpy as np
import pytest
import torch

from muon_imbalance.theory import losses, trajectories
from muon_imbalance.theory.moments import Mixture, population_moments
from muon_imbalance.training.tasks.population import random_rotation
from tests.training.small_tasks import made

MIXTURE = {"k": 3, "d": 5, "p": [0.5, 0.3, 0.2], "mu": 1.3, "sigma2": 0.4}


@pytest.fixture
def task():
    return made("population", {"mixture": MIXTURE, "metrics": ["deviation"]}, [0, 1])


def test_rotations_are_orthogonal_and_differ():
    rng = torch.Generator().manual_seed(0)
    first, second = random_rotation(4, rng), random_rotation(4, rng)
    torch.testing.assert_close(first @ first.mT, torch.eye(4, dtype=torch.float64))
    assert not torch.allclose(first, second)


def test_loss_and_gradient_are_those_of_samples(task):
    """Monte Carlo over the mixture itself: y = U e_c, x = mu v_c + sigma g."""
    rng = np.random.default_rng(0)
    n, sigma = 400_000, MIXTURE["sigma2"] ** 0.5
    c = rng.choice(3, size=n, p=MIXTURE["p"])
    u, v = task.u[0].numpy(), task.v[0].numpy()
    x = MIXTURE["mu"] * v[:, c].T + sigma * rng.standard_normal((n, 5))
    w = 0.3 * rng.standard_normal((3, 5))
    error = x @ w.T - u[:, c].T
    params = {"weight": torch.from_numpy(np.stack([w, w]))}
    loss, grads, _ = task.gradients(params, True)
    assert loss[0] == pytest.approx(0.5 * (error**2).sum(1).mean(), rel=0.01)
    np.testing.assert_allclose(grads["weight"][0].numpy(), error.T @ x / n, atol=0.01)
    values = task.evaluate(params)
    for group in range(3):
        sampled = 0.5 * (error[c == group] ** 2).sum(1).mean()
        assert values["population", f"class_{group}", "loss"][0] == pytest.approx(sampled, rel=0.01)
    assert values["population", "all", "loss"][0] == pytest.approx(float(loss[0]), rel=1e-12)


def test_losses_agree_with_the_theory_package(task):
    alpha = np.array([0.2, 0.5, 0.1])
    weight = task.u[:, :, :3] * torch.from_numpy(alpha) @ task.v[:, :, :3].mT
    values = task.evaluate({"weight": weight})
    mixture = Mixture(**MIXTURE)
    expected = losses.class_losses(alpha, mixture)
    for group in range(3):
        assert values["population", f"class_{group}", "alpha"][1] == pytest.approx(alpha[group], abs=1e-12)
        assert values["population", f"class_{group}", "loss"][1] == pytest.approx(expected[group], rel=1e-12)
    assert values["population", "all", "offdiag"].max() < 1e-12
    assert values["population", "minority", "loss"][0] == pytest.approx(expected[2], rel=1e-12)
    assert values["population", "balanced", "loss"][0] == pytest.approx(expected.mean(), rel=1e-12)


@pytest.mark.parametrize("broken", [False, True])
def test_gd_follows_its_closed_form(task, broken):
    """``broken`` drops sigma^2 from the moments: the comparison must notice (mutation)."""
    moments = population_moments(Mixture(**MIXTURE))
    if broken:
        task.sigma_xx = task.sigma_xx - MIXTURE["sigma2"] * torch.eye(5, dtype=torch.float64)
    params, lr, steps = task.init(), 0.05, 40
    for _ in range(steps):
        _, grads, _ = task.gradients(params, False)
        params = {"weight": params["weight"] - lr * grads["weight"]}
    expected = trajectories.gd(np.array([steps]), moments.s_xx, moments.s_yx, lr)[0]
    found = [float(task.evaluate(params)["population", f"class_{c}", "alpha"][0]) for c in range(3)]
    assert np.allclose(found, expected, atol=1e-12) != broken


def test_deviation_is_the_share_off_the_diagonal(task):
    aligned = torch.tensor([[0.3, 0.0, 0.0, 0.0, 0.0], [0.4, 0.0, 0.0, 0.0, 0.0], [0.0] * 5], dtype=torch.float64)
    values = task.evaluate({"weight": task.u @ aligned @ task.v.mT})
    assert values["population", "all", "deviation"].tolist() == pytest.approx([0.8, 0.8])
    assert values["population", "all", "offdiag"].tolist() == pytest.approx([0.4, 0.4])
    assert (task.evaluate(task.init())["population", "all", "deviation"] == 0).all()


def test_the_worst_class_is_the_one_with_the_largest_loss(task):
    values = task.evaluate(task.init())
    per_class = torch.stack([values["population", f"class_{c}", "loss"] for c in range(3)])
    torch.testing.assert_close(values["population", "worst", "loss"], per_class.amax(0))


def test_one_hot_labels_have_the_identity_as_basis():
    settings = {"mixture": MIXTURE, "labels": "one_hot"}
    task = made("population", settings, [0, 1])
    rotated = made("population", {"mixture": MIXTURE}, [0, 1])
    assert torch.equal(task.u, torch.eye(3, dtype=torch.float64).expand(2, 3, 3))
    assert torch.equal(task.v, rotated.v) and not torch.equal(task.v[0], task.v[1])
    found = moments_of(task, 0)
    expected = population_moments(Mixture(**MIXTURE), np.eye(3), task.v[0].numpy())
    np.testing.assert_allclose(found, np.vstack([expected.sigma_xx, expected.sigma_yx]), atol=1e-14)


def moments_of(task, model):
    return np.vstack([task.sigma_xx[model].numpy(), task.sigma_yx[model].numpy()])


def test_models_of_a_stack_have_their_own_mixtures():
    """Variants share a stack: each model has the moments and losses it has alone."""
    other = MIXTURE | {"mu": 0.7, "sigma2": 1.5, "p": [0.2, 0.3, 0.5]}
    settings = [{"mixture": MIXTURE}, {"mixture": other}]
    both = made("population", settings, [1, 1])
    weight = torch.randn(1, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    together = both.evaluate({"weight": weight.expand(2, 3, 5)})
    for model, one in enumerate(settings):
        alone = made("population", one, [1])
        np.testing.assert_allclose(moments_of(both, model), moments_of(alone, 0), rtol=0, atol=1e-14)
        for key, value in alone.evaluate({"weight": weight}).items():
            assert together[key][model] == pytest.approx(float(value[0]), rel=1e-12, abs=1e-14), key
