"""NMD with one norm for all parameters, against its formula in NumPy."""

import numpy as np
import pytest
import torch

from muon_imbalance import optimizers
from muon_imbalance.common.errors import UserError

LR, BETA, STEPS = 0.3, 0.9, 4


def gradients(step):
    rng = np.random.default_rng(step)
    return {"w": rng.normal(size=(2, 4, 3)), "b": 10 * rng.normal(size=(2, 4))}


def by_formula(layerwise):
    """W <- W - lr M / ||M||, M <- beta M + (1 - beta) G, the norm over all parameters of a model or over each."""
    w = {"w": np.zeros((2, 4, 3)), "b": np.zeros((2, 4))}
    m = {name: np.zeros_like(value) for name, value in w.items()}
    for step in range(STEPS):
        for name, grad in gradients(step).items():
            m[name] = BETA * m[name] + (1 - BETA) * grad
        for model in range(2):
            flat = np.concatenate([value[model].ravel() for value in m.values()])
            for name, value in m.items():
                size = np.linalg.norm(value[model] if layerwise else flat)
                w[name][model] -= LR * value[model] / size
    return w


def trained(**options):
    params = {name: torch.zeros(value.shape, dtype=torch.float64) for name, value in gradients(0).items()}
    rule = optimizers.build("nmd", lr=LR, momentum=BETA, **options)
    state = rule.init(params)
    for step in range(STEPS):
        grads = {name: torch.from_numpy(value) for name, value in gradients(step).items()}
        params, state = rule.step(params, grads, state)
    return params


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_formula(scope):
    expected = by_formula(scope == "layer")
    for name, value in trained(scope=scope).items():
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-12)


def test_the_two_scopes_differ():
    """Mutation: with layer-wise norms the comparison above must fail."""
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(trained(scope="layer")["w"].numpy(), by_formula(False)["w"], rtol=1e-2)


def test_zero_gradients_leave_the_model():
    params = {"w": torch.ones(1, 2, 2), "b": torch.ones(1, 2)}
    rule = optimizers.build("nmd", scope="global")
    moved, _ = rule.step(params, {name: torch.zeros_like(value) for name, value in params.items()}, rule.init(params))
    assert all(torch.equal(moved[name], params[name]) for name in params)


def test_an_unknown_scope_is_refused():
    with pytest.raises(UserError, match="scope = 'model', allowed: layer, global"):
        optimizers.build("nmd", scope="model")
