"""Checks of what the update rules have in common with the maps they are made of: bases, scales, bounds, limits."""

import numpy as np
import torch

from . import formulas
from .checks import close, draw, run, spectrum

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
