"""Lion-K and Muon with decoupled weight decay in plain NumPy, with formulas of their own: all claims L1.* hold.

The linear problem is that of Fig. 2 in random bases; the network is three independent least-squares problems of
different shapes, one per layer. Arguments of the makers break a formula on purpose.
"""

import functools
import json
import math

import numpy as np
import pandas as pd

from muon_imbalance.analysis.claims import judging
from muon_imbalance.analysis.statistics.evidence import Experiment

from .linear_runs import CONFIG, moments, quintic
from .synthetic import rows, stated

LINEAR, MUON, LION = "norm_balls_linear", "norm_balls_muon", "norm_balls_lion"
SEEDS, EVERY = 1, 5
SHAPES = {"exact": [(4, 6), (4, 4), (2, 4)], "tall": [(3, 6), (6, 3), (2, 6)]}


def direction(rule: str, z: np.ndarray) -> np.ndarray:
    """A subgradient of K at z."""
    if rule == "l1":
        return np.sign(z)
    if rule == "frobenius":
        return z / np.linalg.norm(z)
    u, s, vt = np.linalg.svd(z, full_matrices=False)
    if rule == "ky_fan":
        return u[:, :2] @ vt[:2]
    return u @ vt if rule == "nuclear" else (u * quintic(s, 5)) @ vt


def balls(w: np.ndarray, g: np.ndarray) -> dict:
    """Norm of w and dual norm of g in every ball."""
    s, t = (np.linalg.svd(x, compute_uv=False) for x in (w, g))
    pairs = {
        "frobenius": (math.hypot(*s), math.hypot(*t)),
        "ky_fan": (max(s[0], s.sum() / 2), t[:2].sum()),
        "max": (abs(w).max(), abs(g).sum()),
        "spectral": (s[0], t.sum()),
    }
    found = {f"weight_norm_{name}": pair[0] for name, pair in pairs.items()}
    found |= {f"grad_dual_{name}": pair[1] for name, pair in pairs.items()}
    return found | {"weight_gradient": (w * g).sum(), "aspect": w.shape[0] / w.shape[1]}


def descend(start, slope, rule, lr, steps, decay, betas, kind="decoupled", length=1.0, schedule="cosine"):
    """Terms at every fifth step, and the weights; ``kind``: decoupled, coupled (decay joins the gradient) or none."""
    w, m, path, terms = start, np.zeros_like(start), [], []
    for t in range(steps + 1):
        g = slope(w)
        if t % EVERY == 0:
            path.append(w)
            terms.append(balls(w, g))
        g = g + decay * w if kind == "coupled" else g
        z = betas[0] * m + (1 - betas[0]) * g
        m = betas[1] * m + (1 - betas[1]) * g
        eta = lr * (0.5 * (1 + math.cos(math.pi * t / steps)) if schedule == "cosine" else 1)
        shrunk = w * (1 - eta * decay) if kind == "decoupled" else w
        w = shrunk - eta * length * direction(rule, z)
    return terms, np.array(path)


def table(experiment, optimizer, variant, seed, layers, split, extra=None):
    """Rows of one run."""
    change = CONFIG[experiment]["variants"][variant]
    lr = change.get("lr", CONFIG[experiment]["sweep"][optimizer]["lr"][0])
    curves = {
        (split, f"layer_{number}", metric): np.array([term[metric] for term in terms])
        for number, terms in enumerate(layers)
        for metric in terms[0]
    }
    hyper = json.dumps({"variant": variant} | change.get("hyper", {}))
    steps = EVERY * np.arange(len(layers[0]))
    return rows(experiment, optimizer, seed, steps, curves | (extra or {}), lr=lr, hyper=hyper)


@functools.cache
def linear(kind="decoupled", length=1.0, rule=None, schedule="cosine", free=0.0) -> pd.DataFrame:
    """``free``: weight decay of the runs without; ``rule``: one K for all."""
    described, parts = CONFIG[LINEAR], []
    s_xx, s_yx = moments(described["mixture"])
    lr, steps = float(described["sweep"]["lion_k"]["lr"][0]), described["steps"]
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        u, v = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
        a, b, noise = (v * s_xx) @ v.T, (u * s_yx) @ v.T, rng.normal(size=(3, 3))
        for variant, change in described["variants"].items():
            own = "five" if variant.startswith("five") else change["hyper"]["K"]
            decay = change["hyper"].get("weight_decay", free)
            start = change.get("model", {}).get("init_std", 0.0) * noise
            options = {"decay": decay, "betas": (0.9, 0.99), "kind": kind, "length": length, "schedule": schedule}
            terms, path = descend(start, lambda w, a=a, b=b: w @ a - b, rule or own, lr, steps, **options)
            aligned = u.T @ path @ v
            off = abs(aligned * (1 - np.eye(3))).max((1, 2))
            extra = {("population", f"class_{c}", "alpha"): aligned[:, c, c] for c in range(3)}
            extra["population", "all", "offdiag"] = off
            parts.append(table(LINEAR, "lion_k", variant, seed, [terms], "population", extra))
    return pd.concat(parts, ignore_index=True)


def network(experiment, optimizer, rule_of, betas, kind, length, factor, free=0.0) -> pd.DataFrame:
    """``factor``: of the step length, by rows over columns."""
    described, parts = CONFIG[experiment], []
    for seed in range(SEEDS):
        for variant, change in described["variants"].items():
            rng, layers = np.random.default_rng(seed), []
            decay = change.get("hyper", {}).get("weight_decay", free)
            lr = float(change.get("lr", described["sweep"][optimizer]["lr"][0]))
            for m, n in SHAPES.get(variant, SHAPES["exact"]):
                target, start = rng.normal(size=(2, m, n)) * np.array([8, 6 / (decay or 2)])[:, None, None]
                options = {"decay": decay, "betas": betas, "kind": kind, "length": length * factor(m / n)}
                layers.append(
                    descend(start, lambda w, b=target: w - b, rule_of(variant), lr, described["steps"], **options)[0]
                )
            parts.append(table(experiment, optimizer, variant, seed, layers, "train"))
    return pd.concat(parts, ignore_index=True)


def shape_factor(aspect: float) -> float:
    """Muon's."""
    return math.sqrt(max(1, aspect))


@functools.cache
def muon(kind="decoupled", length=1.0, factor=shape_factor, rule=None, free=0.0) -> pd.DataFrame:
    """Muon with Nesterov momentum 0.95, which is Lion-K with betas 0.95^2 and 0.95."""
    rules = {"exact": "nuclear", "tall": "nuclear", "five": "five", "free": "five"}
    return network(MUON, "muon", lambda v: rule or rules[v], (0.9025, 0.95), kind, length, factor, free)


@functools.cache
def lion(kind="decoupled", length=1.0, rule=None) -> pd.DataFrame:
    return network(LION, "lion_k", lambda v: rule or v, (0.9, 0.99), kind, length, lambda aspect: 1.0)


MAKERS = {LINEAR: linear, MUON: muon, LION: lion}

_EXPERIMENTS: dict = {}  # indexing a table costs more than a verdict


def judged(claim: str, frame: pd.DataFrame | None = None, settings: bool = True) -> dict:
    """Record of one claim on these runs (default: those on which all hold)."""
    name = stated()[claim].experiment
    frame = MAKERS[name]() if frame is None else frame
    new = Experiment(name, frame, CONFIG[name] if settings else None)
    _, experiment = _EXPERIMENTS.setdefault((id(frame), settings), (frame, new))
    return judging.judge(stated()[claim], {experiment.name: experiment}, "laptop")
