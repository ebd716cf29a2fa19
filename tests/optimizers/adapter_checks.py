"""Checks of the torch.optim adapters, for the package and for spoilt copies of it: `module("torch_optim")`."""

import copy

import pytest
import torch

from . import checks

CLASSES = {
    "Muon": "muon",
    "NMD": "nmd",
    "Signum": "signum",
    "SpecGD": "specgd",
    "NGD": "ngd",
    "SignGD": "signgd",
    "Shampoo": "shampoo",
    "LionK": "lion_k",
}
SHAPES = checks.SHAPES | {"scalar": ()}


def weights(dtype=torch.float64, seed=0, shapes=SHAPES):
    """Parameters by name, and a function that sets their gradients anew."""
    generator = torch.Generator().manual_seed(seed)
    options = {"generator": generator, "dtype": torch.float64}
    params = {key: torch.nn.Parameter(torch.randn(shape, **options).to(dtype)) for key, shape in shapes.items()}

    def draw_gradients():
        for param in params.values():
            param.grad = torch.randn(param.shape, **options).to(dtype)

    return params, draw_gradients


def snapshot(params):
    return {key: param.detach().clone() for key, param in params.items()}


def equal(first, second, what):
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key]), f"{what}: {key} differs"


LARGE = {"small": (5, 4), "middle": (200, 200), "large": (300, 300), "larger": (700, 200), "vector": (70_001,)}
"""Around the bounds of ``batched.pieces``."""


def check_same_as_core(module, name, hyper, maximize=False, shapes=SHAPES):
    """The steps of the stacked core on a stack of one, but for the rounding of lists, portions and fused operations."""
    params, draw_gradients = weights(shapes=shapes)
    rule = module("registry").build(CLASSES[name], **hyper)
    stacked = {key: value[None].reshape(1, *(value.shape or (1,))) for key, value in snapshot(params).items()}
    state = rule.init(stacked)
    optimizer = getattr(module("torch_optim"), name)(params.values(), maximize=maximize, **hyper)
    for _ in range(4):
        draw_gradients()
        before = {key: param.grad.clone() for key, param in params.items()}
        grads = {key: (-1 if maximize else 1) * before[key].reshape(value.shape) for key, value in stacked.items()}
        stacked, state = rule.step(stacked, grads, state)
        optimizer.step()
        equal(before, {key: param.grad for key, param in params.items()}, f"gradients of {name}")
        for key, param in params.items():
            checks.close(param.detach(), stacked[key].reshape(param.shape), 1e-13, f"{name} {hyper}: {key}")


def check_round_trip(module, name, dtype):
    """Saved and loaded after three steps it goes on as if never stopped, into a fresh model and optimizer."""
    cls = getattr(module("torch_optim"), name)
    params, draw_gradients = weights(dtype)
    optimizer = cls(params.values(), lr=0.01)
    for _ in range(3):
        draw_gradients()
        optimizer.step()
    others = {key: torch.nn.Parameter(value) for key, value in snapshot(params).items()}
    resumed = cls(others.values(), lr=0.5)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert resumed.param_groups[0]["lr"] == 0.01
    for _ in range(3):
        draw_gradients()
        for key, param in params.items():
            others[key].grad = param.grad.clone()
        optimizer.step()
        resumed.step()
        equal(snapshot(params), snapshot(others), f"{name} after loading, {dtype}")


def check_bfloat16(module, name):
    """One step on bfloat16 parameters is the float32 step, rounded; the gradients stay as they are."""
    cls = getattr(module("torch_optim"), name)
    params, draw_gradients = weights(torch.bfloat16)
    single = {key: torch.nn.Parameter(param.detach().float()) for key, param in params.items()}
    optimizer, reference = cls(params.values(), lr=0.05), cls(single.values(), lr=0.05)
    for _ in range(3):
        draw_gradients()
        for key, param in params.items():
            single[key].data.copy_(param.detach())
            single[key].grad = param.grad.float()
        optimizer.step()
        reference.step()
        for key, value in snapshot(single).items():  # within 16 roundings of numbers up to 4, where two bfloat16 meet
            low, high = ((value + shift).bfloat16() for shift in (-4e-6, 4e-6))
            assert ((low <= params[key]) & (params[key] <= high)).all(), f"{name} in bfloat16: {key} differs"


def check_refusals(module, name):
    """Sparse, complex and whole-number tensors are refused before anything has moved."""
    cls, error = getattr(module("torch_optim"), name), module("protocol").UserError
    for wrong, kind in [(torch.zeros(2, 2, dtype=torch.complex64), "complex"), (torch.zeros(3).to_sparse(), "sparse")]:
        with pytest.raises(error, match=f"{name} takes dense real floating-point parameters, this one is .*{kind}"):
            cls([torch.nn.Parameter(wrong)])
    embedding, dense = torch.nn.Embedding(5, 3, sparse=True), torch.nn.Linear(3, 1)
    optimizer = cls([{"params": dense.parameters()}, {"params": embedding.parameters()}])
    before = snapshot(dict(dense.named_parameters()))
    dense(embedding(torch.tensor([1, 2]))).sum().backward()
    with pytest.raises(error, match=f"{name} takes dense real floating-point gradients, this one is torch.sparse_coo"):
        optimizer.step()
    equal(snapshot(dict(dense.named_parameters())), before, f"{name} stepped before it refused")


def check_late_gradients(module, name):
    """A parameter without gradient waits, and its first step is a first step whenever it comes."""
    cls = getattr(module("torch_optim"), name)
    params, draw_gradients = weights()
    early, late = cls(params.values(), lr=0.1), {key: torch.nn.Parameter(v) for key, v in snapshot(params).items()}
    others = cls(late.values(), lr=0.1)
    draw_gradients()
    first = {key: param.grad.clone() for key, param in params.items()}
    for key in ("wide", "vector"):
        params[key].grad = None
    still = snapshot(params)
    early.step()
    for key in params:
        assert torch.equal(params[key], still[key]) == (key in ("wide", "vector")), f"{name} {key}"
    for key, param in params.items():
        param.grad = first[key]
    early.step()
    steady = {key: torch.nn.Parameter(value) for key, value in still.items() if key not in ("wide", "vector")}
    alone = cls(steady.values(), lr=0.1)
    for _ in range(2):
        for key, param in steady.items():
            param.grad = first[key]
        alone.step()
    for key, param in steady.items():
        checks.close(params[key].detach(), param.detach(), 1e-11, f"{name} {key} beside a late one")
    for key, param in late.items():
        param.grad = first[key] if key in ("wide", "vector") else None
    others.step()
    for key in ("wide", "vector"):
        assert torch.equal(params[key], late[key]), f"{name} {key}: late first step"


def check_changed_tensors(module):
    """Hyperparameters that are tensors may be written to between steps: the next step takes what they hold then."""
    (param,) = params = [torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64))]
    betas = torch.tensor(0.9, dtype=torch.float64), torch.tensor(0.99, dtype=torch.float64)
    optimizer = module("torch_optim").LionK(params, lr=0.1, betas=betas, K="frobenius")
    state = None
    for beta in (0.9, 0.1):
        betas[0].fill_(beta)
        param.grad = torch.randn(3, 2, dtype=torch.float64)
        rule = module("registry").build("lion_k", lr=0.1, betas=(beta, 0.99), K="frobenius")
        stack = {"0": param.detach().clone()[None]}
        expected, state = rule.step(stack, {"0": param.grad[None]}, state or rule.init(stack))
        optimizer.step()
        checks.close(param.detach(), expected["0"][0], checks.ROUNDINGS, f"beta1 = {beta}")


def check_kernels(module):
    """Muon on kernels is Muon on flat matrices, whichever order the entries lie in."""
    kernel, last = (torch.nn.Parameter(torch.randn(6, 4, 3, 3, dtype=torch.float64)) for _ in range(2))
    flat = torch.nn.Parameter(kernel.detach().reshape(6, 36).clone())
    last.data = kernel.detach().clone().to(memory_format=torch.channels_last)
    grad = torch.randn(6, 4, 3, 3, dtype=torch.float64)
    kernel.grad, flat.grad = grad.clone(), grad.reshape(6, 36).clone()
    last.grad = grad.to(memory_format=torch.channels_last)
    for _ in range(3):
        for param in (kernel, flat, last):
            module("torch_optim").Muon([param], lr=0.1, momentum=0.5).step()
    assert torch.equal(kernel.reshape(6, 36), flat)
    checks.close(last.detach(), kernel.detach(), 1e-12, "channels last")
    assert last.is_contiguous(memory_format=torch.channels_last)
