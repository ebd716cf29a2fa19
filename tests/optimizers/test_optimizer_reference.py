"""Every optimizer against its formula in NumPy: momentum, Nesterov, weight decay, options, several steps."""

import pytest
import torch

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
