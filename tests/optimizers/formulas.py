"""The update rules in NumPy float64, one model, one parameter, from the formulas alone (Table 1, App. A).

Every rule maps a start value and the gradients to the list of values after each step. A parameter is a matrix
[out, in], a kernel [out, in, kh, kw] (flattened to a matrix) or a vector [n] (an n x 1 matrix).
"""

from functools import partial
from itertools import count

import numpy as np
import torch

from muon_imbalance.common.seeding import stable_seed


def matrix(x):
    return x.reshape(x.shape[0], -1)


def frobenius(g):
    norm = np.sqrt((g**2).sum())
    return g / norm if norm > 0 else 0 * g


def spectral(g):
    u, s, vt = np.linalg.svd(matrix(g), full_matrices=False)
    kept = s > 1e-6 * s[0]
    return (u[:, kept] @ vt[kept]).reshape(g.shape)


def newton_schulz(g, steps, coefficients=((3.4445, -4.7750, 2.0315),)):
    x = matrix(g).astype(np.float64)
    x = x / (np.sqrt((x**2).sum()) + 1e-7)
    for step in range(steps):
        a, b, c = coefficients[min(step, len(coefficients) - 1)]
        gram = x @ x.T
        x = a * x + b * gram @ x + c * gram @ gram @ x
    return x.reshape(g.shape)


def best_quintic(low, high):
    """a s + b s^3 + c s^5 nearest to 1 on [low, high] in the maximum norm, by Remez' exchange."""
    points = np.linspace(low, high, 4)
    for _ in range(60):
        system = np.stack([points, points**3, points**5, (-1.0) ** np.arange(4)], axis=1)
        a, b, c, _ = np.linalg.solve(system, np.ones(4))  # p(point) + (-1)^i error = 1
        bends = np.sqrt(np.sort(np.roots([5 * c, 3 * b, a]).real))
        points = np.array([low, *bends, high])
    return a, b, c


def polar_express_schedule(steps, low=1e-3, cushion=0.02407327424182761, safety=1.01):
    """Amsel et al. 2025, Algorithm 1: the best quintic for each interval in turn, first [low, 1].

    Intervals narrower than [cushion * high, high] are treated as this wide and the result is centred again.
    """
    high, quintics = 1.0, []
    for _ in range(steps):
        a, b, c = best_quintic(max(low, cushion * high), high)
        ends = [a * s + b * s**3 + c * s**5 for s in (low, high)]
        centre = 2 / sum(ends)  # 1 where there was no cushion
        a, b, c = a * centre, b * centre, c * centre
        quintics.append((a, b, c))
        low = a * low + b * low**3 + c * low**5
        high = 2 - low
    safe = [tuple(v / safety**k for v, k in zip(q, (1, 3, 5), strict=True)) for q in quintics]
    first = tuple(v / safety**k for v, k in zip(safe[0], (1, 3, 5), strict=True))  # input divided by 1.01 ||X||_F
    return [first, *safe[1:]]


def symmetric_power(a, power, epsilon):
    """(A + epsilon I)^power through the SVD; without epsilon of the pseudo-inverse."""
    u, s, _ = np.linalg.svd(a)
    if epsilon > 0:
        return (u * (s + epsilon) ** power) @ u.T
    kept = s > 1e-12 * s[0]
    return (u[:, kept] * s[kept] ** power) @ u[:, kept].T


SHAMPOO = {"epsilon": 1e-12, "precondition_frequency": 1, "start_preconditioning_step": 1} | {
    "max_preconditioner_dim": 1024, "bias_correction": True,
    "grafting": "none", "grafting_beta2": 0.999, "grafting_epsilon": 1e-10,
}  # fmt: skip


def shampoo(w, grads, lr=1e-2, betas=(0.9, 0.999), weight_decay=0.0, **options):
    """Every block is a parameter of its own, as the bounds of a loop and nothing else."""
    options = SHAMPOO | options
    size, values = options["max_preconditioner_dim"], [matrix(w).copy() for _ in grads]
    rows, columns = matrix(w).shape
    for r in range(0, rows, size):
        for c in range(0, columns, size):
            place = np.s_[r : r + size, c : c + size]
            gradients = [matrix(grad)[place] for grad in grads]
            block = shampoo_block(matrix(w)[place], gradients, w.ndim == 1, lr, betas, weight_decay, **options)
            for value, result in zip(values, block, strict=True):
                value[place] = result
    return [value.reshape(w.shape) for value in values]


def shampoo_block(w, grads, vector, lr, betas, weight_decay, **o):
    (beta1, beta2), values, m, v = betas, [], 0 * w, 0 * w
    left, right = np.zeros((len(w), len(w))), np.zeros((w.shape[1], w.shape[1]))
    new, start = 1 if beta2 == 1 else 1 - beta2, o["start_preconditioning_step"]
    for t, g in enumerate(grads, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = o["grafting_beta2"] * v + (1 - o["grafting_beta2"]) * g**2
        left, right = beta2 * left + new * g @ g.T, beta2 * right + new * g.T @ g
        c1, c2, c3 = (1 - b**t if o["bias_correction"] and b < 1 else 1 for b in (beta1, beta2, o["grafting_beta2"]))
        if t == start or (t > start and t % o["precondition_frequency"] == 0):
            power = -1 / 2 if vector else -1 / 4
            left_root = symmetric_power(left / c2, power, o["epsilon"])
            right_root = np.eye(1) if vector else symmetric_power(right / c2, power, o["epsilon"])
        graft = m / c1
        if o["grafting"] == "adam":
            graft = graft / (np.sqrt(v / c3) + o["grafting_epsilon"])
        direction = graft if t < start else left_root @ (m / c1) @ right_root
        if t >= start and o["grafting"] != "none":
            direction = direction / np.sqrt((direction**2).sum()) * np.sqrt((graft**2).sum())
        w = w - lr * weight_decay * w - lr * direction
        values.append(w)
    return values


def ky_fan(g, k):
    u, s, vt = np.linalg.svd(matrix(g), full_matrices=False)
    k = min(k, int((s > 1e-6 * s[0]).sum()))
    return (u[:, :k] @ vt[:k]).reshape(g.shape)


def lion_k(w, grads, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, K="l1", k=1, polar="exact", ns_steps=5):
    subgradient = {
        "l1": np.sign,
        "frobenius": frobenius,
        "nuclear": spectral if polar == "exact" else lambda z: newton_schulz(z, ns_steps),
        "ky_fan": lambda z: ky_fan(z, k),
    }[K]
    (beta1, beta2), m, values = betas, 0 * w, []
    for g in grads:
        w = w - lr * (subgradient(beta1 * m + (1 - beta1) * g) + weight_decay * w)
        m = beta2 * m + (1 - beta2) * g
        values.append(w)
    return values


def sgd(w, grads, lr, momentum=0.9, weight_decay=0.0, nesterov=False):
    values, buffer = [], None
    for grad in grads:
        g = grad + weight_decay * w
        buffer = g if buffer is None else momentum * buffer + g
        w = w - lr * (g + momentum * buffer if nesterov else buffer)
        values.append(w)
    return values


def gd(w, grads, lr, weight_decay=0.0):
    values = []
    for grad in grads:
        w = w - lr * (grad + weight_decay * w)
        values.append(w)
    return values


def adam(w, grads, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False):
    (beta1, beta2), m, v, values = betas, 0 * w, 0 * w, []
    for t, grad in enumerate(grads, start=1):
        g = grad if decoupled_weight_decay else grad + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        if decoupled_weight_decay:
            w = w - lr * weight_decay * w
        w = w - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        values.append(w)
    return values


def descent(lmo):
    def rule(w, grads, lr, weight_decay=0.0):
        values = []
        for grad in grads:
            w = w - lr * weight_decay * w - lr * lmo(grad)
            values.append(w)
        return values

    return rule


def momentum_descent(lmo):
    def rule(w, grads, lr, momentum=0.9, weight_decay=0.0, nesterov=False, factor=1.0):
        values, m = [], 0 * w
        for grad in grads:
            m = momentum * m + (1 - momentum) * grad
            z = momentum * m + (1 - momentum) * grad if nesterov else m
            w = w - lr * weight_decay * w - lr * factor * lmo(z)
            values.append(w)
        return values

    return rule


def muon_rule(w, grads, lr, factor_of, momentum, weight_decay, nesterov, scale, beta2, eps):
    if w.ndim == 1:
        return adam(w, grads, lr, (momentum, beta2), eps, weight_decay, decoupled_weight_decay=True)
    rows, cols = {"original": matrix(w).shape, "kernel": w.shape[-2:], "none": (1, 1)}[scale]
    factor = np.sqrt(max(1, rows / cols))
    return momentum_descent(factor_of)(w, grads, lr, momentum, weight_decay, nesterov, factor)


MUON = {
    "momentum": 0.95,
    "weight_decay": 0.0,
    "nesterov": True,
    "scale": "original",
    "beta2": 0.95,
    "eps": 1e-10,
}


def muon(w, grads, lr=0.02, ns_steps=5, polar="newton_schulz", **options):
    def factor_of(z):
        if polar == "polar_express":
            return newton_schulz(z, ns_steps, polar_express_schedule(ns_steps))
        return spectral(z) if polar == "exact" else newton_schulz(z, ns_steps)

    return muon_rule(w, grads, lr, factor_of, **(MUON | options))


def as_long(z, values):
    """U diag(values) V^T of z, brought to the Frobenius length of its polar factor; values: largest first."""
    u, s, vt = np.linalg.svd(matrix(z), full_matrices=False)
    kept = s > 1e-6 * s[0]
    found = ((u * values(s))[:, kept] @ vt[kept]).reshape(z.shape)
    return np.sqrt(kept.sum() / (found**2).sum()) * found


def spectral_power(w, grads, lr=0.02, power=0.5, **options):
    return muon_rule(w, grads, lr, lambda z: as_long(z, lambda s: s**power), **(MUON | options))


def muon_on(w, grads, lr=0.02, names="", **options):
    assert names in ("", ".*")  # a formula knows no names
    return (muon_exact if names else partial(spectral_power, power=1))(w, grads, lr, **options)


def row_normalised(w, grads, lr=0.02, **options):
    def direction(z):
        rows = matrix(z) / np.linalg.norm(matrix(z), axis=1, keepdims=True)
        return (np.sqrt(np.linalg.matrix_rank(matrix(z)) / len(rows)) * rows).reshape(z.shape)

    return muon_rule(w, grads, lr, direction, **(MUON | options))


def random_spectrum(w, grads, lr=0.02, seed=0, **options):
    steps = count(1)

    def values(s):
        draw = torch.Generator().manual_seed(stable_seed("random_spectrum", seed, next(steps), len(s)) % 2**63)
        return np.abs(torch.randn(len(s), generator=draw, dtype=torch.float64).numpy())[::-1]

    return muon_rule(w, grads, lr, lambda z: as_long(z, values), **(MUON | options))


def muon_ns1(w, grads, lr=0.02, **options):
    return muon_rule(w, grads, lr, lambda z: newton_schulz(z, 1), **(MUON | options))


def muon_exact(w, grads, lr=0.02, **options):
    return muon_rule(w, grads, lr, spectral, **(MUON | options))


RULES = {
    "gd": gd,
    "sgd": sgd,
    "adam": adam,
    "ngd": descent(frobenius),
    "signgd": descent(np.sign),
    "specgd": descent(spectral),
    "nmd": momentum_descent(frobenius),
    "signum": momentum_descent(np.sign),
    "muon": muon,
    "muon_ns1": muon_ns1,
    "muon_exact": muon_exact,
    "shampoo": shampoo,
    "lion_k": lion_k,
    "spectral_power": spectral_power,
    "random_spectrum": random_spectrum,
    "row_normalised": row_normalised,
    "muon_on": muon_on,
}
