"""Checks of the optimizers that the tests run on the package and the mutation tests on spoilt copies of it.

`build` and `polar`, `norms` are passed in, so that both can be checked; every check raises AssertionError.
"""

import numpy as np
import torch

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
    elif name in ("sgd", "nmd", "signum") or name.startswith("muon"):
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
                if name in ELEMENTWISE:
                    assert torch.equal(got, value), f"{name} {key} model {i} step {step + 1} differs"
                else:
                    close(got, value, 1e-12, f"{name} {key} model {i} step {step + 1}")


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


def check_exact_polar(polar):
    """Against the SVD: full rank, tiny, rank deficient, above and below the relative cut-off.

    Each matrix by itself and in a batch, which are computed in different ways on a CPU.
    """
    for models in (1, 2):
        check_exact_polar_of_batch(lambda x, models=models: polar.exact(x.expand(models, *x.shape))[-1])
    assert torch.equal(polar.exact(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))
    assert torch.equal(polar.exact(torch.zeros(3, 4)), torch.zeros(3, 4))


def check_exact_polar_of_batch(exact):
    for rows, cols in [(6, 6), (4, 20), (20, 4), (1, 9), (9, 1)]:
        k = min(rows, cols)
        for scale in (1.0, 1e-12, 1e-170, 1e170):
            x = scale * spectrum(rows, cols, np.geomspace(1, 1e-2, k))
            got = exact(torch.from_numpy(x))
            close(got, formulas.spectral(x / scale), 1e-11, f"polar factor of {rows}x{cols} at scale {scale}")
    tiny = torch.from_numpy(1e-12 * spectrum(8, 5, np.geomspace(1, 1e-2, 5))).float()
    factor = exact(tiny)
    assert factor.dtype == torch.float32
    close(torch.linalg.svdvals(factor), np.ones(5), 1e-5, "singular values at scale 1e-12 in float32")
    for dropped in (0.0, 1e-7):
        x = spectrum(8, 6, [1, 0.5, 0.1, dropped, dropped, dropped])
        got = exact(torch.from_numpy(x))
        close(got, formulas.spectral(x), 1e-9, f"truncated polar factor, rest {dropped}")
        close(np.linalg.svd(got)[1], [1, 1, 1, 0, 0, 0], 1e-9, "rank of the truncated polar factor")
    x = spectrum(8, 6, [1, 0.5, 0.1, 1e-5, 1e-5, 1e-5])
    close(exact(torch.from_numpy(x)), formulas.spectral(x), 1e-5, "kept singular values")


SPECTRA = {
    "geometric": lambda k, cond: np.geomspace(1, 1 / cond, k),
    "one large": lambda k, cond: [1.0] + [1 / cond] * (k - 1),
    "one small": lambda k, cond: [1.0] * (k - 1) + [1 / cond],
    "half": lambda k, cond: [1.0] * (k // 2) + [1 / cond] * (k - k // 2),
}


NS_SHAPES = ((20, 200), (48, 480), (64, 576), (576, 64), (48, 64), (32, 32), (2, 128))


def check_newton_schulz(polar, shapes=NS_SHAPES):
    """In float32 within 1e-3 of the plain float64 iteration, up to condition number 1e7; where the Gram matrix is
    float64 within 2e-4."""
    for rows, cols in shapes:
        k = min(rows, cols)
        tolerance = 2e-4 if k <= 32 and max(rows, cols) > 1.5 * k else 1e-3
        for kind, values in SPECTRA.items():
            for condition in (1e1, 1e3, 1e5, 1e7):
                x = spectrum(rows, cols, values(k, condition)).astype(np.float32)
                for steps in (1, 2, 5, 6):
                    got = polar.newton_schulz(torch.from_numpy(x)[None], steps)[0]
                    what = f"{steps} steps on {rows}x{cols}, {kind}, condition {condition:.0e}"
                    close(got, formulas.newton_schulz(x, steps), tolerance, what)


def check_precise_gram(polar):
    """The Gram matrix rounds little enough: one large singular value on long rows is the worst case."""
    for condition in (300, 1000):
        for seed in range(5):
            x = spectrum(64, 320, [1.0] + [1 / condition] * 63, seed).astype(np.float32)
            got = polar.newton_schulz(torch.from_numpy(x)[None])[0]
            close(got, formulas.newton_schulz(x, 5), 7e-4, f"condition {condition}, seed {seed}")
    for rows, cols in ((520, 1100), (1100, 520)):
        x = spectrum(rows, cols, [1.0] + [1 / 1000] * 519).astype(np.float32)
        got = polar.newton_schulz(torch.from_numpy(x)[None])[0]
        close(got, formulas.newton_schulz(x, 5), 7e-4, f"{rows}x{cols}")


def check_tiny(polar):
    """Float32 matrices whose squares vanish or overflow, beside one of usual size."""
    x = spectrum(40, 90, np.geomspace(1, 0.1, 40)).astype(np.float32)
    stack = torch.stack([torch.from_numpy(x) * scale for scale in (1e-30, 1e-21, 1.0, 1e30)])
    for got in polar.newton_schulz(stack, eps=0.0):
        close(got, formulas.newton_schulz(x, 5), 1e-3, "scaled matrix")


def check_nan_signs(norms):
    """A NaN shows in large and in small tensors; other entries, tiny ones too, take their sign, at any rate."""
    for shape in [(3, 4), (300, 1000)]:
        for lr in (0.5, 5.0):
            x = torch.ones(shape)
            x[1, 2], x[0, 0], x[0, 1], x[0, 2] = torch.nan, 0.0, 1e-37, torch.inf
            moved = torch.zeros(shape)
            norms.Max().descend_([moved], [x], lr)
            assert moved[1, 2].isnan() and moved[0, 0] == 0, f"{shape}, {lr}"
            assert (moved == -lr).sum() == x.numel() - 2, f"{shape}, {lr}"


def check_scalar_map(polar):
    """F12: where one step takes singular values; the second entry makes the Frobenius norm 1."""
    for s, mapped in [(0.01, 0.034), (0.1, 0.34), (0.3, 0.91), (0.55, 1.20), (0.7, 1.11), (1.0, 0.70)]:
        x = torch.diag(torch.tensor([s, (1 - s * s) ** 0.5], dtype=torch.float64))
        got = polar.newton_schulz(x[None], steps=1)[0, 0, 0].item()
        assert abs(got - mapped) <= 0.0051, f"f({s}) = {got}, expected {mapped}"
        exact = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        assert abs(got - exact) <= 1e-6, f"f({s}) = {got}, expected {exact}"


def check_polar_express(polar):
    """The constants from their definition, and float32 near the plain float64 iteration."""
    for got, expected in zip(polar.POLAR_EXPRESS, formulas.polar_express_schedule(7), strict=False):
        close(got, expected, 1e-7, "coefficients")
    assert polar.POLAR_EXPRESS[-1] == (1.875, -1.25, 0.375)
    for rows, cols in ((20, 200), (200, 20), (32, 32)):
        for kind, values in SPECTRA.items():
            for condition in (1e1, 1e3, 1e7):
                x = spectrum(rows, cols, values(min(rows, cols), condition)).astype(np.float32)
                for steps in (1, 3, 5, 6):
                    got = polar.newton_schulz(torch.from_numpy(x)[None], steps, polar.POLAR_EXPRESS)[0]
                    expected = formulas.newton_schulz(x, steps, polar.POLAR_EXPRESS)
                    what = f"{steps} steps of Polar Express on {rows}x{cols}, {kind}, condition {condition:.0e}"
                    close(got, expected, 1e-3, what)
    x = spectrum(8, 20, np.geomspace(1, 1e-3, 8))
    got = polar.newton_schulz(torch.from_numpy(x)[None], 10, polar.POLAR_EXPRESS)[0]
    close(got, formulas.newton_schulz(x, 10, polar.POLAR_EXPRESS), 1e-9, "more steps than quintics")


def check_grouping(build, names):
    """Equal shapes go through the polar factor together: each parameter moves as it would alone."""
    shapes = {"a": (5, 8), "vector": (8,), "b": (5, 8), "turned": (8, 5), "c": (5, 8), "kernel": (5, 2, 2, 2)}
    params, grads = draw(models=2, shapes=shapes | {"large": (130, 127), "large too": (130, 127)})
    for name in names:
        history, _ = run(build(name, lr=0.1), params, grads)
        assert list(history[-1]) == list(params)
        for key in params:
            alone = [{key: grad[key]} for grad in grads]
            expected, _ = run(build(name, lr=0.1), {key: params[key]}, alone)
            close(history[-1][key], expected[-1][key], 1e-11, f"{name} {key} beside others")
