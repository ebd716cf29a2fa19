"""Traps of other implementations: ours avoids each, and each probe finds it where it is known to be."""

from functools import partial

import pytest
import torch

from benchmarks import traps
from muon_imbalance.optimizers import torch_optim

NONE = {"muon": None, "distributed_shampoo": None}


def found(table):
    return {name: {trap for trap, there in had.items() if there} for name, had in table.items()}


def test_ours_has_none_and_the_others_have_theirs():
    """If a new version of a library mends one, this fails and docs/optimizers.md is to be written anew."""
    assert found(traps.all_muons(NONE)) == {
        "ours": set(),
        "torch.optim.Muon": {
            "iterates in half precision",
            "refuses convolution kernels",
            "decays weights by default",
            traps.BUFFER,
        },
        "pytorch-optimizer Muon": {"overwrites `p.grad`", "iterates in half precision"},
    }
    assert found(traps.all_shampoos(NONE)) == {
        "ours": set(),
        "pytorch-optimizer Shampoo": {"overwrites `p.grad`", "rests until the first refresh"},
        "pytorch-optimizer ScalableShampoo": set(),
    }


class JordanLike(torch.optim.Optimizer):
    """The two habits of Keller Jordan's code that no library of the lock has: lerp into p.grad, scale of the kernel."""

    def __init__(self, params):
        super().__init__(params, {})

    @torch.no_grad()
    def step(self):
        for param in self.param_groups[0]["params"]:
            grad = param.grad.mul_(0.5)
            direction = grad.flatten(1) / grad.norm()
            param -= direction.reshape(param.shape) * max(1, grad.shape[-2] / grad.shape[-1]) ** 0.5


def test_probes_find_the_habits_of_the_reference():
    assert traps.overwrites_the_gradient(JordanLike)
    assert traps.scales_kernels_by_their_sides(JordanLike)


def test_the_option_that_repeats_the_reference_is_found():
    """scale="kernel" is there for comparison with the reference."""
    assert traps.scales_kernels_by_their_sides(partial(torch_optim.Muon, scale="kernel"))


@pytest.mark.parametrize("name", ["Muon", "NMD", "Signum", "SpecGD", "NGD", "SignGD", "Shampoo", "LionK"])
def test_all_of_ours_avoid_the_general_traps(name):
    make = getattr(torch_optim, name)
    for probe in (
        traps.overwrites_the_gradient,
        traps.refuses_kernels,
        traps.decays_by_default,
        traps.rests_until_the_first_refresh,
    ):
        assert not probe(make), probe.__name__
