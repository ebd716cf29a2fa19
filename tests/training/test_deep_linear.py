"""Deep linear models: start, gradients, closed forms; models of different depth in one stack."""

import numpy as np
import pytest
import torch

from muon_imbalance.optimizers import registry
from muon_imbalance.theory import trajectories
from muon_imbalance.theory.moments import Mixture, population_moments
from tests.training.small_tasks import made

MIXTURE = {"k": 3, "d": 4, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}


def task_of(*layers, delta=4.0, seeds=None, mixture=MIXTURE):
    settings = [{"mixture": mixture, "model": {"layers": number, "delta": delta}} for number in layers]
    return made("deep_linear", settings, seeds or [0] * len(layers))


def train(task, rule, lr, steps, **hyper):
    """``alpha [steps + 1, S, k]`` and the largest entry off the diagonal at the end."""
    optimizer, params = registry.build(rule, lr=lr, **hyper), task.init()
    state, path = optimizer.init(params), []
    for _ in range(steps + 1):
        values = task.evaluate(params)
        path.append(torch.stack([values["population", f"class_{c}", "alpha"] for c in range(task.k)], 1))
        _, grads, _ = task.gradients(params, False)
        params, state = optimizer.step(params, grads, state)
    return torch.stack(path).numpy(), values["population", "all", "offdiag"].numpy()


def test_the_start_is_matched():
    """Every layer has k singular values e^-delta, the product is e^(-L delta) in the bases U, V."""
    task = task_of(1, 2, 4)
    params = task.init()
    assert [tuple(p.shape) for p in params.values()] == [(3, 3, 4), (3, 3, 3), (3, 3, 3), (3, 3, 3)]
    small = np.exp(-4.0)
    for name, layer in params.items():
        sizes = torch.linalg.svdvals(layer)
        own = [model for model, depth in enumerate((1, 2, 4)) if depth >= int(name[-1]) and depth > 1]
        assert sizes[own].numpy() == pytest.approx(small)
    assert (params["layer_1"][0] == 0).all()  # one layer starts at zero
    values = task.evaluate(params)
    for c in range(3):
        assert values["population", f"class_{c}", "alpha"].tolist() == pytest.approx([0, small**2, small**4], rel=1e-9)
    assert values["population", "all", "offdiag"].max() < 1e-16


def test_missing_layers_are_identities_that_stay():
    task = task_of(2, 4)
    params = task.init()
    _, grads, _ = task.gradients(params, False)
    for name in ("layer_3", "layer_4"):
        assert torch.equal(params[name][0], torch.eye(3, dtype=torch.float64)) and (grads[name][0] == 0).all()
        assert (grads[name][1] != 0).any()
    for rule in registry.names():
        optimizer = registry.build(rule, lr=0.1)
        stepped, _ = optimizer.step(params, grads, optimizer.init(params))
        assert torch.equal(stepped["layer_4"][0], params["layer_4"][0]), rule


def test_gradients_are_those_of_autograd():
    task = task_of(1, 3, 3, seeds=[0, 1, 2])
    rng = torch.Generator().manual_seed(0)
    params = {name: value + 0.3 * torch.randn(value.shape, generator=rng, dtype=torch.float64)
              for name, value in task.init().items()}  # fmt: skip
    for name in ("layer_2", "layer_3"):
        params[name][0] = torch.eye(3)
    tensors = {name: value.clone().requires_grad_() for name, value in params.items()}
    product = tensors["layer_3"] @ tensors["layer_2"] @ tensors["layer_1"]
    quadratic = ((product @ task.sigma_xx) * product).sum((1, 2))
    loss = 0.5 * quadratic - (product * task.sigma_yx).sum((1, 2)) + 0.5
    loss.sum().backward()
    found, grads, _ = task.gradients(params, False)
    torch.testing.assert_close(found, loss.detach())
    for name, tensor in tensors.items():
        expected = tensor.grad.clone()
        if name != "layer_1":
            expected[0] = 0  # a layer the model does not have
        torch.testing.assert_close(grads[name], expected)


@pytest.mark.parametrize("broken", [False, True])
def test_specgd_and_gd_follow_their_closed_forms(broken):
    """``broken`` drops sigma^2 from the moments: the comparison must notice (mutation)."""
    depths, delta = (1, 2, 3), 5.0
    task, m = task_of(*depths, delta=delta), population_moments(Mixture(**MIXTURE))
    if broken:
        task.sigma_xx = task.sigma_xx - MIXTURE["sigma2"] * torch.eye(4, dtype=torch.float64)
    spectral, off = train(task, "specgd", 0.01, 75)
    assert off.max() < 1e-9
    euclidean, _ = train(task, "gd", 0.05, 200)
    steps, agree = np.arange(201), []
    for model, depth in enumerate(depths):
        start = delta if depth > 1 else np.inf
        spectral_form = trajectories.specgd(steps[:76], m.r, 0.01, depth, start)
        if depth == 1:
            form = trajectories.gd(steps, m.s_xx, m.s_yx, 0.05)
        else:
            form = trajectories.deep_gd(200, m.s_xx, m.s_yx, 0.05, depth, delta)
        # SpecGD is compared until a second component saturates (step 75 for one layer)
        agree.append(np.allclose(spectral[:75, model], spectral_form[:75], atol=1e-9))
        agree.append(np.allclose(euclidean[:, model], form, atol=1e-9))
    assert all(agree) != broken


@pytest.mark.parametrize("rule", ["gd", "specgd", "muon", "adam", "signgd", "ngd"])
def test_a_stack_of_depths_equals_models_alone(rule):
    together, _ = train(task_of(1, 2, 4), rule, 0.01, 20)
    for model, depth in enumerate((1, 2, 4)):
        alone, _ = train(task_of(depth), rule, 0.01, 20)
        np.testing.assert_allclose(together[:, model], alone[:, 0], rtol=1e-9, atol=1e-12)
