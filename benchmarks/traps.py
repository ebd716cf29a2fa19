"""Traps found in implementations of Muon and Shampoo, each as a probe that any optimizer can be put to.

A probe gets a function from parameters to an optimizer and says whether the trap is there. The tests put ours to
all of them, the benchmark puts the public ones too, so that what is said of those stays measured.
"""

from collections.abc import Callable
from functools import partial
from types import ModuleType

import pytorch_optimizer
import torch
from torch.nn import Parameter

from benchmarks.accuracy import plain
from benchmarks.contestants import REFRESH, Make, grouped
from muon_imbalance.optimizers import torch_optim


def _gradient(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _update(make: Make, grad: torch.Tensor, weight: float = 0.0) -> torch.Tensor:
    """W_0 - W_1 with W_0 = weight everywhere."""
    param = Parameter(torch.full_like(grad, weight))
    param.grad = grad.clone()
    make([param]).step()
    return weight - param.detach()


def overwrites_the_gradient(make: Make) -> bool:
    """What comes after the step (a norm for the log, a second optimizer) sees another gradient."""
    param, grad = Parameter(torch.zeros(6, 4)), _gradient(6, 4)
    param.grad = grad.clone()
    optimizer = make([param])
    for _ in range(2):
        optimizer.step()
    return param.grad.shape != grad.shape or not torch.equal(param.grad, grad)


def iterates_in_half_precision(make: Make) -> bool:
    """The direction of the first step is more than 1e-4 from the float64 iteration."""
    grad = _gradient(24, 40)
    direction, true = _update(make, grad).double(), plain(grad, torch.float64)
    return (direction / direction.norm() - true / true.norm()).norm().item() > 1e-4


def refuses_kernels(make: Make) -> bool:
    try:
        _update(make, _gradient(4, 3, 2, 2))
    except (ValueError, RuntimeError):
        return True
    return False


def scales_kernels_by_their_sides(make: Make) -> bool:
    """A kernel moves otherwise than its matrix out x (in kh kw): by height and width in place of rows and columns."""
    if refuses_kernels(make):
        return False
    grad = _gradient(64, 2, 3, 3)
    kernel, matrix = _update(make, grad), _update(make, grad.flatten(1))
    return abs((kernel.norm() / matrix.norm()).item() - 1) > 0.1


def decays_by_default(make: Make) -> bool:
    """With no weight decay asked for, a zero gradient moves the weights."""
    return bool(_update(make, torch.zeros(4, 5), weight=1.0).any())


def normalises_its_buffer(make: Make) -> bool:
    """With bfloat16 weights and no Nesterov momentum the buffer is divided by its norm in place."""
    param = Parameter(torch.zeros(16, 16, dtype=torch.bfloat16))
    param.grad = 100 * _gradient(16, 16).bfloat16()
    optimizer = make([param])
    optimizer.step()
    buffers = [value for value in optimizer.state[param].values() if torch.is_tensor(value) and value.numel() == 256]
    return all(buffer.float().norm().item() < 2 for buffer in buffers)


def rests_until_the_first_refresh(make: Make) -> bool:
    """The steps before the first inverse root move nothing: the stored roots are zeros."""
    return not bool(_update(make, _gradient(5, 6)).any())


MUON = {
    "overwrites `p.grad`": overwrites_the_gradient,
    "iterates in half precision": iterates_in_half_precision,
    "refuses convolution kernels": refuses_kernels,
    "scales a kernel by its height and width": scales_kernels_by_their_sides,
    "decays weights by default": decays_by_default,
}
SHAMPOO = {
    "overwrites `p.grad`": overwrites_the_gradient,
    "rests until the first refresh": rests_until_the_first_refresh,
}
BUFFER = "divides its bfloat16 buffer by its norm (no Nesterov)"


def muons(modules: dict[str, ModuleType | None]) -> dict[str, Make]:
    """Muon as each offers it, without any option."""
    found = {
        "ours": torch_optim.Muon,
        "torch.optim.Muon": torch.optim.Muon,
        "pytorch-optimizer Muon": partial(grouped, pytorch_optimizer.Muon),
    }
    if modules["muon"] is not None:
        found["Keller Jordan's Muon"] = modules["muon"].SingleDeviceMuon
    return found


def plain_momentum() -> dict[str, Make]:
    """Muon without Nesterov momentum, where that is an option."""
    return {
        "ours": partial(torch_optim.Muon, nesterov=False),
        "torch.optim.Muon": partial(torch.optim.Muon, nesterov=False),
        "pytorch-optimizer Muon": partial(grouped, pytorch_optimizer.Muon, nesterov=False),
    }


def shampoos(modules: dict[str, ModuleType | None]) -> dict[str, Make]:
    """Shampoo with powers every ten steps."""
    library, rarely = pytorch_optimizer, {"preconditioning_compute_steps": REFRESH}
    found = {
        "ours": partial(torch_optim.Shampoo, precondition_frequency=REFRESH),
        "pytorch-optimizer Shampoo": partial(library.Shampoo, momentum=0.9, **rarely),
        "pytorch-optimizer ScalableShampoo": partial(library.ScalableShampoo, **rarely),
    }
    if modules["distributed_shampoo"] is not None:
        make = modules["distributed_shampoo"].DistributedShampoo
        found["DistributedShampoo"] = partial(make, precondition_frequency=REFRESH, start_preconditioning_step=REFRESH)
    return found


Found = dict[str, dict[str, bool]]


def probe(probes: dict[str, Callable[[Make], bool]], makes: dict[str, Make]) -> Found:
    """Optimizer -> trap -> whether it is there."""
    return {name: {trap: test(make) for trap, test in probes.items()} for name, make in makes.items()}


def all_muons(modules: dict[str, ModuleType | None]) -> Found:
    """The probes of Muon; the one of the buffer is missing where there is no such option."""
    found = probe(MUON, muons(modules))
    for name, traps in probe({BUFFER: normalises_its_buffer}, plain_momentum()).items():
        found[name] |= traps
    return found


def all_shampoos(modules: dict[str, ModuleType | None]) -> Found:
    return probe(SHAMPOO, shampoos(modules))
