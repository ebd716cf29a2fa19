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
    """Against the SVD: full rank, tiny, rank deficient, above and below the relative cut-off."""
    for rows, cols in [(6, 6), (4, 20), (20, 4), (1, 9), (9, 1)]:
        k = min(rows, cols)
        for scale in (1.0, 1e-12, 1e-170, 1e170):
            x = scale * spectrum(rows, cols, np.geomspace(1, 1e-2, k))
            got = polar.exact(torch.from_numpy(x)[None])[0]
            close(got, formulas.spectral(x / scale), 1e-11, f"polar factor of {rows}x{cols} at scale {scale}")
    tiny = torch.from_numpy(1e-12 * spectrum(8, 5, np.geomspace(1, 1e-2, 5))).float()
    factor = polar.exact(tiny[None])[0]
    assert factor.dtype == torch.float32
    close(torch.linalg.svdvals(factor), np.ones(5), 1e-5, "singular values at scale 1e-12 in float32")
    for dropped in (0.0, 1e-7):
        x = spectrum(8, 6, [1, 0.5, 0.1, dropped, dropped, dropped])
        got = polar.exact(torch.from_numpy(x)[None])[0]
        close(got, formulas.spectral(x), 1e-9, f"truncated polar factor, rest {dropped}")
        close(np.linalg.svd(got)[1], [1, 1, 1, 0, 0, 0], 1e-9, "rank of the truncated polar factor")
    x = spectrum(8, 6, [1, 0.5, 0.1, 1e-5, 1e-5, 1e-5])
    close(polar.exact(torch.from_numpy(x)[None])[0], formulas.spectral(x), 1e-5, "kept singular values")
    assert torch.equal(polar.exact(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


SPECTRA = {
    "geometric": lambda k, cond: np.geomspace(1, 1 / cond, k),
    "one large": lambda k, cond: [1.0] + [1 / cond] * (k - 1),
    "one small": lambda k, cond: [1.0] * (k - 1) + [1 / cond],
    "half": lambda k, cond: [1.0] * (k // 2) + [1 / cond] * (k - k // 2),
}


def check_newton_schulz(polar, shapes=((20, 200), (64, 576), (576, 64), (48, 64), (32, 32), (2, 128))):
    """In float32 within 1e-3 of the plain float64 iteration, up to condition number 1e7."""
    for rows, cols in shapes:
        k = min(rows, cols)
        for kind, values in SPECTRA.items():
            for condition in (1e1, 1e3, 1e5, 1e7):
                x = spectrum(rows, cols, values(k, condition)).astype(np.float32)
                for steps in (1, 2, 5):
                    got = polar.newton_schulz(torch.from_numpy(x)[None], steps)[0]
                    what = f"{steps} steps on {rows}x{cols}, {kind}, condition {condition:.0e}"
                    close(got, formulas.newton_schulz(x, steps), 1e-3, what)


def check_scalar_map(polar):
    """F12: where one step takes singular values; the second entry makes the Frobenius norm 1."""
    for s, mapped in [(0.01, 0.034), (0.1, 0.34), (0.3, 0.91), (0.55, 1.20), (0.7, 1.11), (1.0, 0.70)]:
        x = torch.diag(torch.tensor([s, (1 - s * s) ** 0.5], dtype=torch.float64))
        got = polar.newton_schulz(x[None], steps=1)[0, 0, 0].item()
        assert abs(got - mapped) <= 0.0051, f"f({s}) = {got}, expected {mapped}"
        exact = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        assert abs(got - exact) <= 1e-6, f"f({s}) = {got}, expected {exact}"


def norm_objects(norms):
    return [norms.Frobenius(), norms.Max(), norms.Spectral(), *(norms.KyFan(k) for k in (1, 2, 3, 9))]


def numpy_norms(norm, x):
    """Norm and dual norm of one matrix."""
    s, kind = np.linalg.svd(x)[1], type(norm).__name__
    if kind == "KyFan":
        return max(s[0], s.sum() / norm.k), s[: norm.k].sum()
    size = np.sqrt((x * x).sum())
    return {"Frobenius": (size, size), "Max": (abs(x).max(), abs(x).sum()), "Spectral": (s[0], s.sum())}[kind]


def check_norms(norms):
    """norm(lmo(G)) = 1, <G, lmo(G)> = dual norm, and no other D of unit norm does better."""
    generator = torch.Generator().manual_seed(0)
    for norm in norm_objects(norms):
        for shape in [(2, 3, 5, 8), (3, 8, 5), (4, 4), (3, 7, 1), (2, 1, 1)]:
            g = torch.randn(shape, generator=generator, dtype=torch.float64)
            d = norm.lmo(g)
            what = f"{type(norm).__name__} {getattr(norm, 'k', '')} {shape}"
            assert d.shape == g.shape
            assert norm.norm(g).shape == norm.dual_norm(g).shape == torch.Size(shape[:-2])
            first = tuple([0] * (len(shape) - 2))
            expected = numpy_norms(norm, g[first].numpy())
            close(norm.norm(g)[first], expected[0], 1e-12, f"{what}: norm")
            close(norm.dual_norm(g)[first], expected[1], 1e-12, f"{what}: dual norm")
            close(norm.norm(d), np.ones(shape[:-2]), 1e-12, f"{what}: norm of the lmo")
            close((g * d).sum((-2, -1)), norm.dual_norm(g), 1e-12, f"{what}: <G, lmo(G)>")
            for _ in range(20):
                other = torch.randn(shape, generator=generator, dtype=torch.float64)
                other = other / norm.norm(other)[..., None, None]
                assert ((g * other).sum((-2, -1)) <= norm.dual_norm(g) * (1 + 1e-12)).all(), what
        assert torch.equal(norm.lmo(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


def check_projections(norms):
    """P(X) is in the ball, and X - P(X) is normal to it there: <X - P, Y - P> <= 0 for all Y of the ball.

    The largest <X - P, Y> is the dual norm of X - P, so this is one equation. Points of the ball stay.
    """
    generator = torch.Generator().manual_seed(1)
    for norm in norm_objects(norms):
        for shape in [(2, 3, 5, 8), (3, 8, 5), (4, 4), (3, 7, 1), (2, 1, 1)]:
            what = f"{type(norm).__name__} {getattr(norm, 'k', '')} {shape}"
            for size in (0.01, 0.3, 1.0, 3.0, 100.0):
                x = size * torch.randn(shape, generator=generator, dtype=torch.float64)
                p = norm.project(x)
                assert p.shape == x.shape
                assert (norm.norm(p) <= 1 + 1e-12).all(), f"{what}: outside the ball"
                rest = x - p
                slack = norm.dual_norm(rest) - (rest * p).sum((-2, -1))
                scale = float(norm.dual_norm(x).max())
                assert (slack.abs() <= 1e-12 * max(scale, 1)).all(), f"{what}: not the nearest point"
                inside = norm.norm(x) <= 1
                assert (p - x)[inside].abs().amax() <= 1e-13 if inside.any() else True, f"{what}: moved from inside"
                close(norm.project(p), p, 1e-12, f"{what}: projected twice")


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


PLAIN_SHAMPOO = {"betas": (0.0, 0.0), "epsilon": 0.0}


def check_shampoo_is_specgd(build, conditions=(1e0, 1e1, 1e2, 1e3, 1e4, 1e5)):
    """App. A: without accumulation Shampoo is spectral descent, within 1e-15 kappa^2 + 1e-12 of the SVD."""
    for condition in conditions:
        for rows, cols in [(6, 6), (4, 20), (20, 4), (1, 9), (9, 1)]:
            for scale in (1.0, 1e-30, 1e30):
                g = scale * spectrum(rows, cols, np.geomspace(1, 1 / condition, min(rows, cols)))
                zero, grad = {"w": torch.zeros(1, rows, cols, dtype=torch.float64)}, {"w": torch.from_numpy(g)[None]}
                (step,), _ = run(build("shampoo", lr=1.0, **PLAIN_SHAMPOO), zero, [grad])
                assert step["w"].isfinite().all()
                error = np.linalg.norm(-step["w"][0].numpy() - formulas.spectral(g / scale), 2)
                bound = 1e-15 * condition**2 + 1e-12
                assert error <= bound, (
                    f"{rows}x{cols}, condition {condition:.0e}, scale {scale}: {error:.2e} > {bound:.2e}"
                )


def rotations(rows, cols, seed=3):
    rng = np.random.default_rng(seed)
    return (torch.from_numpy(np.linalg.qr(rng.normal(size=(n, n)))[0]) for n in (rows, cols))


def turning_error(build, name, hyper, shape=(6, 9), steps=4):
    """Relative difference between turning W and G by U . V^T before the steps and after them."""
    (params, grads), (u, v) = draw(models=2, steps=steps, shapes={"w": shape}), rotations(*shape)
    turn = lambda tensors: {"w": u @ tensors["w"] @ v.mT}  # noqa: E731
    turned, _ = run(build(name, **hyper), turn(params), [turn(grad) for grad in grads])
    history, _ = run(build(name, **hyper), params, grads)
    expected, start = turn(history[-1])["w"], turn(params)["w"]
    return (torch.linalg.norm(turned[-1]["w"] - expected) / torch.linalg.norm(expected - start)).item()


TURNABLE = [
    ("gd", {}), ("sgd", {}), ("ngd", {}), ("nmd", {}), ("specgd", {}), ("muon", {}), ("muon_ns1", {}),
    ("muon_exact", {}),
    ("muon", {"polar": "polar_express"}), ("shampoo", {"epsilon": 1e-6}), ("shampoo", {"grafting": "sgd"}),
    ("shampoo", {"epsilon": 1e-6, "precondition_frequency": 3}), ("lion_k", {"K": "nuclear"}),
    ("lion_k", {"K": "frobenius"}), ("lion_k", {"K": "ky_fan", "k": 3}),
]  # fmt: skip
NOT_TURNABLE = [
    ("signgd", {}), ("signum", {}), ("adam", {}), ("lion_k", {"K": "l1"}), ("shampoo", {"max_preconditioner_dim": 3}),
    ("shampoo", {"grafting": "adam"}),
]  # fmt: skip


def check_turning(build, cases=TURNABLE):
    for name, hyper in cases:
        error = turning_error(build, name, hyper)
        assert error <= 1e-8, f"{name} {hyper} depends on the basis: {error:.1e}"


def check_scale(build, name, hyper, scales, dtype):
    """Steps do not depend on the size of the gradients, over all steps."""
    params, grads = draw(models=2, dtype=dtype)
    history, _ = run(build(name, **hyper), params, grads)
    for scale in scales:
        scaled, _ = run(build(name, **hyper), params, [{k: scale * v for k, v in grad.items()} for grad in grads])
        for key in params:
            moved, expected = scaled[-1][key] - params[key], history[-1][key] - params[key]
            rtol = 1e-9 if dtype == torch.float64 else 1e-4
            close(moved.double(), expected.double(), rtol, f"{name} {hyper} {key} at scale {scale}, {dtype}")


def check_bound(build, hyper, norm, c=1.0):
    """Lion-K: ||W_t|| - c / decay shrinks by (1 - lr decay) a step, whatever the gradients."""
    lr, weight_decay = 0.1, 2.0
    params, grads = draw(models=2, steps=30, shapes={"w": (5, 8)})
    limit = c / weight_decay
    history, _ = run(build("lion_k", lr=lr, weight_decay=weight_decay, **hyper), params, grads)
    outside = norm.norm(params["w"]) - limit
    assert (outside > 0).all(), "starts outside the ball"
    for step, value in enumerate(history, start=1):
        allowed = (1 - lr * weight_decay) ** step * outside + 1e-9
        assert (norm.norm(value["w"]) - limit <= allowed).all(), f"{hyper}: outside the ball at step {step}"


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
