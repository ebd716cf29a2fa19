"""Checks of the optimizers that the tests run on the package and the mutation tests on spoilt copies of it.

`build` and `polar`, `norms` are passed in, so that both can be checked; every check raises AssertionError.
"""

import numpy as np
import torch

from muon_imbalance.optimizers.base import hyperparameters

from . import formulas

SHAPES = {  # one model; wide, tall, square, one row, kernel, vector
    "wide": (5, 13),
    "tall": (11, 4),
    "square": (6, 6),
    "row": (1, 7),
    "kernel": (6, 2, 3, 3),
    "vector": (9,),
}
ELEMENTWISE = ("gd", "sgd", "adam", "signgd", "signum")
ROUNDINGS = 1e-14
"""Four steps of at most 20 roundings of 2^-53 each. Bits may differ with the shape and the processor: some kernels
multiply and add with one rounding in the body of a loop and with two at its end."""
PRODUCTS = 1e-11
"""Singular values r times the largest come out as 1 within 1e-16 / r^2, here down to r = 0.002, and how the factor is
computed depends on the number of matrices: 2.5e-11, times a rate of 0.1, of weights of size 6."""
DECAY, NESTEROV = {"weight_decay": 0.3}, {"nesterov": True}
VARIANTS = {
    "gd": [{"lr": 0.1}, {"lr": 0.1} | DECAY],
    "sgd": [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.7} | DECAY | NESTEROV, {"lr": 0.1, "momentum": 0.0}],
    "adam": [
        {"lr": 0.01},
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3} | DECAY,
        {"lr": 0.01, "decoupled_weight_decay": True} | DECAY,
    ],
    "ngd": [{"lr": 0.1}, {"lr": 0.1} | DECAY],
    "signgd": [{"lr": 0.1}, {"lr": 0.1} | DECAY],
    "specgd": [{"lr": 0.1}, {"lr": 0.1} | DECAY],
    "nmd": [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.7} | DECAY, {"lr": 0.1} | NESTEROV],
    "signum": [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.7} | DECAY, {"lr": 0.1} | NESTEROV],
    "muon": [
        {},
        {"lr": 0.1, "momentum": 0.7, "ns_steps": 3, "nesterov": False, "scale": "none"} | DECAY,
        {"ns_steps": 8, "scale": "kernel", "beta2": 0.8, "eps": 1e-3},
        {"polar": "exact"} | DECAY,
        {"polar": "polar_express", "ns_steps": 4},
    ],
    "muon_ns1": [{}, {"lr": 0.1, "momentum": 0.7, "nesterov": False, "scale": "none"} | DECAY],
    "muon_exact": [{}, {"lr": 0.1, "momentum": 0.7, "nesterov": False, "scale": "none"} | DECAY],
    "shampoo": [
        {"epsilon": 1e-6},
        {"epsilon": 1e-3, "betas": (0.7, 0.9), "grafting": "sgd", "precondition_frequency": 2} | DECAY,
        {"epsilon": 1e-3, "max_preconditioner_dim": 4, "grafting": "adam", "grafting_beta2": 0.9},
        {"epsilon": 1e-2, "betas": (0.9, 1.0), "precondition_frequency": 3, "start_preconditioning_step": 2},
        {"epsilon": 1e-3, "bias_correction": False, "grafting": "adam", "grafting_epsilon": 0.1}
        | {"start_preconditioning_step": 3, "precondition_frequency": 3, "max_preconditioner_dim": 5},
    ],
    "lion_k": [
        {"lr": 0.1},
        {"lr": 0.1, "K": "nuclear", "betas": (0.7, 0.9)} | DECAY,
        {"lr": 0.1, "K": "nuclear", "polar": "newton_schulz", "ns_steps": 3},
        {"lr": 0.1, "K": "frobenius"} | DECAY,
        {"lr": 0.1, "K": "ky_fan", "k": 2} | DECAY,
        {"lr": 0.1, "K": "ky_fan", "k": 99},
    ],
    "spectral_power": [
        {},
        {"power": 0.0} | DECAY,
        {"lr": 0.1, "power": 1.0, "momentum": 0.7, "nesterov": False, "scale": "none"} | DECAY,
        {"power": 0.25, "scale": "kernel", "beta2": 0.8, "eps": 1e-3},
    ],
    "random_spectrum": [{}, {"lr": 0.1, "seed": 7, "momentum": 0.7, "nesterov": False, "scale": "none"} | DECAY],
    "row_normalised": [{}, {"lr": 0.1, "momentum": 0.7, "nesterov": False, "scale": "none"} | DECAY],
    "muon_on": [{}, {"names": ".*"} | DECAY, {"lr": 0.1, "momentum": 0.7, "nesterov": False, "scale": "kernel"}],
}


def draw(models=3, steps=4, dtype=torch.float64, seed=0, shapes=SHAPES):
    """Params [S, ...] and a list of gradients."""
    generator = torch.Generator().manual_seed(seed)

    def tensors():
        options = {"generator": generator, "dtype": torch.float64}
        return {key: torch.randn(models, *shape, **options).to(dtype) for key, shape in shapes.items()}

    return tensors(), [tensors() for _ in range(steps)]


def run(optimizer, params, grads, state=None):
    """Params after each step, and the last state."""
    state, history = optimizer.init(params) if state is None else state, []
    for grad in grads:
        params, state = optimizer.step(params, grad, state)
        history.append(params)
    return history, state


def close(actual, expected, rtol, what):
    """Frobenius distance relative to the size of `expected`."""
    actual, expected = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    error = np.linalg.norm(actual - expected) / max(np.linalg.norm(expected), 1e-300)
    assert error <= rtol, f"{what}: relative error {error:.2e} > {rtol:.0e}"  # NaN fails


def check_reference(build, name, hyper, dtype=torch.float64):
    """Several steps, every model and parameter, against the formula in NumPy."""
    rtol = 1e-9 if dtype == torch.float64 else 2e-4  # the spectral rules square the condition number
    params, grads = draw(dtype=dtype)
    history, _ = run(build(name, **hyper), params, grads)
    for key, start in params.items():
        for model in range(len(start)):
            gradients = [grad[key][model].double().numpy() for grad in grads]
            expected = formulas.RULES[name](start[model].double().numpy(), gradients, **hyper)
            for step, value in enumerate(expected):
                got = history[step][key]
                assert got.dtype == dtype
                assert got.shape == start.shape
                close(got[model].double(), value, rtol, f"{name} {hyper} {key} model {model} step {step + 1}")


def per_model(name):
    """Hyperparameters as tensors [3], and the same as a list of three dicts of floats."""
    lists = {"lr": [0.1, 0.01, 0.05], "weight_decay": [0.0, 0.3, 0.1]}
    if name in ("adam", "shampoo", "lion_k"):
        lists["betas"] = [[0.9, 0.99], [0.8, 0.95], [0.0, 0.9]]
    elif name not in ("gd", "ngd", "signgd", "specgd"):
        lists["momentum"] = [0.9, 0.7, 0.0]
    stacked = {key: torch.tensor(values, dtype=torch.float64) for key, values in lists.items()}
    return stacked, [{key: values[i] for key, values in lists.items()} for i in range(3)]


STACK_OPTIONS = {
    "shampoo": [{"epsilon": 1e-6}, {"max_preconditioner_dim": 4, "grafting": "adam", "precondition_frequency": 3}],
    "lion_k": [{}, {"K": "nuclear"}, {"K": "frobenius"}, {"K": "ky_fan", "k": 2}],
}


def check_stack(build, name):
    """One stack with per-model hyperparameters = its models run one after another."""
    for options in STACK_OPTIONS.get(name, [{}]):
        check_one_stack(build, name, options)


def check_one_stack(build, name, options):
    params, grads = draw()
    stacked, separate = per_model(name)
    history, _ = run(build(name, **stacked, **options), params, grads)
    for i, hyper in enumerate(separate):
        alone, *grads_alone = ({k: v[i : i + 1] for k, v in tensors.items()} for tensors in (params, *grads))
        expected, _ = run(build(name, **hyper, **options), alone, grads_alone)
        for step, values in enumerate(expected):
            for key, value in values.items():
                got = history[step][key][i : i + 1]
                rtol = ROUNDINGS if name in ELEMENTWISE else PRODUCTS
                close(got, value, rtol, f"{name} {key} model {i} step {step + 1}")


def check_pure(build, name):
    """Neither params nor gradients nor state are changed, and nothing is shared with what is returned."""
    params, grads = draw(steps=2)
    optimizer = build(name)
    _, state = run(optimizer, params, grads[:1])
    given = [*params.values(), *grads[1].values(), *state.values()]
    before = [tensor.clone() for tensor in given]
    new_params, new_state = optimizer.step(params, grads[1], state)
    for tensor in [*new_params.values(), *new_state.values()]:
        tensor.fill_(7)  # would show through shared memory
    for now, then in zip(given, before, strict=True):
        assert torch.equal(now, then), f"{name} changed its arguments"


def check_zero_gradient(build, name, dtype=torch.float64):
    """A zero gradient leaves the parameters as they are; it never gives NaN."""
    params, _ = draw(dtype=dtype)
    zeros = {key: torch.zeros_like(value) for key, value in params.items()}
    history, _ = run(build(name), params, [zeros, zeros])
    for key, value in params.items():
        assert torch.equal(history[-1][key], value), f"{name} moved {key} on a zero gradient"


def spectrum(rows, cols, values, seed=0):
    """A float64 matrix with these singular values."""
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.normal(size=(n, len(values))))[0] for n in (rows, cols))
    return (u * np.asarray(values)) @ v.T


def check_nan_signs(norms):
    """A NaN shows in one tensor and among several; other entries, tiny ones too, take their sign, at any rate."""
    for count in (1, 2):
        for lr in (0.5, 5.0):
            x = torch.ones(3, 4)
            x[1, 2], x[0, 0], x[0, 1], x[0, 2] = torch.nan, 0.0, 1e-37, torch.inf
            params = [torch.zeros(3, 4) for _ in range(count)]
            rate = hyperparameters.hyper("lr", lr)
            norms.Max().descend_(params, [x] * count, rate)
            for moved in params:
                assert moved[1, 2].isnan() and moved[0, 0] == 0, f"{count}, {lr}"
                assert (moved == -lr).sum() == x.numel() - 2, f"{count}, {lr}"


def check_grouping(build, names):
    """Equal shapes go through the polar factor together: each parameter moves as it would alone."""
    shapes = {"a": (5, 8), "vector": (8,), "b": (5, 8), "turned": (8, 5), "c": (5, 8), "kernel": (5, 2, 2, 2)}
    shapes |= {"large": (130, 127), "large too": (130, 127), "square": (6, 6), "nearly": (6, 7), "square too": (6, 6)}
    params, grads = draw(models=2, shapes=shapes)
    for name in names:
        history, _ = run(build(name, lr=0.1), params, grads)
        assert list(history[-1]) == list(params)
        for key in params:
            alone = [{key: grad[key]} for grad in grads]
            expected, _ = run(build(name, lr=0.1), {key: params[key]}, alone)
            close(history[-1][key], expected[-1][key], 1e-11, f"{name} {key} beside others")
