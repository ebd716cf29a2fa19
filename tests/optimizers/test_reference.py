"""Every optimizer against its formula in NumPy: momentum, Nesterov, weight decay, options, several steps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from muon_imbalance import optimizers

from . import checks, formulas

CASES = [(name, hyper) for name, variants in checks.VARIANTS.items() for hyper in variants]


def test_every_optimizer_has_a_reference():
    assert sorted(formulas.RULES) == sorted(checks.VARIANTS) == optimizers.names()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_steps_equal_the_formula(name, hyper, dtype):
    checks.check_reference(optimizers.build, name, hyper, dtype)


def test_adam_without_betas_and_eps_is_sign_descent():
    params, grads = checks.draw()
    adam, _ = checks.run(optimizers.build("adam", lr=0.1, betas=(0.0, 0.0), eps=0.0), params, grads)
    sign, _ = checks.run(optimizers.build("signgd", lr=0.1), params, grads)
    for key in params:
        checks.close(adam[-1][key], sign[-1][key], 1e-13, key)


def test_muon_exact_without_its_extras_is_specgd_of_the_momentum():
    params, grads = checks.draw(steps=1)
    matrices = [{k: v for k, v in tensors.items() if v.ndim > 2} for tensors in (params, grads[0])]
    plain = optimizers.build("muon_exact", lr=0.1, nesterov=False, scale="none")
    (muon,), _ = checks.run(plain, matrices[0], matrices[1:])
    (specgd,), _ = checks.run(optimizers.build("specgd", lr=0.1), matrices[0], matrices[1:])
    for key in muon:
        checks.close(muon[key], specgd[key], 1e-12, key)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 5), columns=st.integers(1, 5), steps=st.integers(1, 4))
def test_adam_without_memory_is_signgd(seed, rows, columns, steps):
    """App. A: betas 0 and eps 0 leave the sign of the gradient, zeros included, at any step."""
    rng = np.random.default_rng(seed)
    lr = float(10 ** rng.uniform(-4, 0))
    start = torch.from_numpy(rng.standard_normal((2, rows, columns)))
    pair = [optimizers.build("adam", lr=lr, betas=(0.0, 0.0), eps=0.0), optimizers.build("signgd", lr=lr)]
    params = [{"weight": start.clone()} for _ in pair]
    states = [optimizer.init(p) for optimizer, p in zip(pair, params, strict=True)]
    for _ in range(steps):
        size = 10.0 ** rng.integers(-8, 8)
        grad = torch.from_numpy(size * rng.standard_normal((2, rows, columns)) * rng.integers(0, 2, (2, rows, columns)))
        for i, optimizer in enumerate(pair):
            params[i], states[i] = optimizer.step(params[i], {"weight": grad}, states[i])
        torch.testing.assert_close(params[0]["weight"], params[1]["weight"], rtol=1e-12, atol=1e-12 * lr)
