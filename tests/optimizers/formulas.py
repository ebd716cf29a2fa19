"""The update rules in NumPy float64, one model, one parameter, from the formulas alone (Table 1, App. A).

Every rule maps a start value and the gradients to the list of values after each step. A parameter is a matrix
[out, in], a kernel [out, in, kh, kw] (flattened to a matrix) or a vector [n] (an n x 1 matrix).
"""

import numpy as np


def matrix(x):
    return x.reshape(x.shape[0], -1)


def frobenius(g):
    norm = np.sqrt((g**2).sum())
    return g / norm if norm > 0 else 0 * g


def spectral(g):
    u, s, vt = np.linalg.svd(matrix(g), full_matrices=False)
    kept = s > 1e-6 * s[0]
    return (u[:, kept] @ vt[kept]).reshape(g.shape)


def newton_schulz(g, steps):
    x = matrix(g).astype(np.float64)
    x = x / (np.sqrt((x**2).sum()) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    return x.reshape(g.shape)


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
        return spectral(z) if polar == "exact" else newton_schulz(z, ns_steps)

    return muon_rule(w, grads, lr, factor_of, **(MUON | options))


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
}
