"""Muon with Adam on named matrices: the parts equal Muon and Adam alone."""

import pytest
import torch

from muon_imbalance import optimizers
from muon_imbalance.common.errors import UserError
from muon_imbalance.optimizers.base.in_place import InPlace
from muon_imbalance.optimizers.torch_optim import Muon

from . import checks


def some(seed: int) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    shapes = {"embedding.weight": (1, 9, 4), "blocks.0.up.weight": (1, 6, 4), "norm.weight": (1, 4)}
    return {name: torch.randn(shape, generator=rng, dtype=torch.float64) for name, shape in shapes.items()}


def steps(optimizer, names):
    params = {name: value for name, value in some(0).items() if name in names}
    state = optimizer.init(params)
    for seed in (1, 2, 3):
        params, state = optimizer.step(params, {name: some(seed)[name] for name in names}, state)
    return params


def test_named_matrices_take_adam_with_its_own_rate():
    found = steps(optimizers.build("muon", lr=0.1, adam_on="embedding|position", adam_lr=0.01), list(some(0)))
    muon = steps(optimizers.build("muon", lr=0.1), ["blocks.0.up.weight"])
    adam = steps(optimizers.build("adam", lr=0.01, betas=(0.95, 0.95), eps=1e-10), ["embedding.weight", "norm.weight"])
    for name, value in (muon | adam).items():
        checks.close(found[name], value, 1e-13, name)


def test_the_other_reading_is_the_default():
    found, plain = (steps(optimizers.build("muon", lr=0.1, **more), list(some(0))) for more in ({"adam_on": ""}, {}))
    named = steps(optimizers.build("muon", lr=0.1, adam_on="embedding"), list(some(0)))
    assert all(torch.equal(found[name], plain[name]) for name in found)
    assert not torch.equal(named["embedding.weight"], plain["embedding.weight"])
    assert torch.equal(named["norm.weight"], plain["norm.weight"]), "without adam_lr, Adam has Muon's rate"


def test_refusals():
    with pytest.raises(UserError, match="adam_on = '\\['; allowed: a regular expression"):
        optimizers.build("muon", adam_on="[")
    with pytest.raises(UserError, match="adam_lr = -1, allowed: a finite number >= 0"):
        optimizers.build("muon", adam_lr=-1)
    with pytest.raises(UserError, match="unknown hyperparameter adam_on"):  # groups of parameters do that there
        Muon([torch.nn.Parameter(torch.ones(2, 2))], adam_on="embedding")


def test_a_single_model_in_its_own_memory_takes_the_same_steps():
    rule = optimizers.build("muon", lr=0.1, adam_on="embedding|position", adam_lr=0.01)
    expected, found = steps(rule, list(some(0))), steps(InPlace(rule), list(some(0)))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)
