"""Runs of linear models as scalar recursions in the eigenbasis, with formulas of their own: all claims on them hold.

Arguments of the makers break a formula on purpose.
"""

import functools
import json

import numpy as np
import pandas as pd

from muon_imbalance.analysis.claims import judging
from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.plan.families import load

from .synthetic import ROOT, rows, stated

CONFIG = load(ROOT).config["experiments"]
QUINTIC = (3.4445, -4.7750, 2.0315)


def moments(mixture: dict, noise: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """``s_xx, s_yx`` of Lemma 3.1; without the noise if asked for."""
    p = np.array(mixture["p"])
    return mixture["mu"] ** 2 * p + mixture["sigma2"] * noise, mixture["mu"] * p


def quintic(g: np.ndarray, iterations: int) -> np.ndarray:
    s = g / (np.linalg.norm(g) + 1e-7)
    for _ in range(iterations):
        s = QUINTIC[0] * s + QUINTIC[1] * s**3 + QUINTIC[2] * s**5
    return s


def iterate(direction, s_xx, s_yx, lr: float, steps: int, layers: int = 1, start: float = 0.0) -> np.ndarray:
    """Components of the product ``[steps + 1, k]``: every layer's entry makes ``lr * direction(its gradient)``."""
    layer = np.full(len(s_xx), start)
    path = []
    for _ in range(steps + 1):
        product = layer**layers
        path.append(product)
        layer = layer + lr * direction(layer ** (layers - 1) * (s_yx - s_xx * product))
    return np.array(path)


def losses(alpha: np.ndarray, mixture: dict, half: float = 0.5) -> dict:
    """Eq. 7 by group."""
    noise = mixture["sigma2"] * (alpha**2).sum(1, keepdims=True)
    loss = half * ((1 - mixture["mu"] * alpha) ** 2 + noise)
    named = {"minority": loss[:, np.argmin(mixture["p"])], "balanced": loss.mean(1), "worst": loss.max(1)}
    return {("population", group, "loss"): values for group, values in named.items()}


def run(experiment: str, optimizer: str, variant: str, seed: int, alpha, lr: str, extra=None, steps=None):
    """Rows of one run at every step."""
    described = CONFIG[experiment]
    changes = described.get("variants", {}).get(variant, {})
    hyper = {"variant": variant} if variant else {}
    hyper |= changes.get("hyper", {})
    hyper |= {key: described.get(key, {}) | changes[key] for key in ("mixture", "model") if key in changes}
    steps = np.arange(len(alpha)) if steps is None else steps
    curves = {("population", f"class_{c}", "alpha"): alpha[steps, c] for c in range(alpha.shape[1])}
    curves |= {name: values[steps] for name, values in (extra or {}).items()}
    return rows(experiment, optimizer, seed, steps, curves, lr=lr, hyper=json.dumps(hyper))


def mixture_of(experiment: str, variant: str) -> dict:
    described = CONFIG[experiment]
    return described["mixture"] | described["variants"][variant].get("mixture", {})


@functools.cache
def deep_specgd(sign: float = 1.0, noise: bool = True, root: bool = True) -> pd.DataFrame:
    """Fig. 5 and s4; ``sign``: -1 climbs, ``noise``: targets with sigma^2, ``root``: the target is r_c^(1/L)."""
    parts, lr = [], 0.001
    for variant, changes in CONFIG["deep_specgd"]["variants"].items():
        layers = changes["model"]["layers"]
        s_xx, s_yx = moments(mixture_of("deep_specgd", variant), noise)
        if not root:  # the product of L layers would stop at r_c^L
            s_xx = s_yx / (s_yx / s_xx) ** layers
        start = np.exp(-12) if layers > 1 else 0.0
        alpha = iterate(lambda g: sign * np.sign(g), s_xx, s_yx, lr, 2000, layers, start)
        parts.append(run("deep_specgd", "specgd", variant, 0, alpha, "0.001", steps=np.arange(0, 2001, 4)))
    return pd.concat(parts, ignore_index=True)


@functools.cache
def deep_gd(rate: float = 1.0, noise: bool = True) -> pd.DataFrame:
    """Fig. 5; ``rate``: a wrong factor of the step."""
    parts, lr = [], 0.04
    for variant, changes in CONFIG["deep_gd"]["variants"].items():
        layers = changes["model"]["layers"]
        s_xx, s_yx = moments(mixture_of("deep_gd", variant), noise)
        start = np.exp(-5) if layers > 1 else 0.0
        alpha = iterate(lambda g: rate * g, s_xx, s_yx, lr, 2000, layers, start)
        parts.append(run("deep_gd", "gd", variant, 0, alpha, "0.04", steps=np.arange(0, 2001, 4)))
    return pd.concat(parts, ignore_index=True)


@functools.cache
def newton_schulz(iterations: int | None = None) -> pd.DataFrame:
    """Fig. s3; ``iterations``: the same number for all variants but the exact ones."""
    parts = []
    for variant, changes in CONFIG["newton_schulz"]["variants"].items():
        s_xx, s_yx = moments(mixture_of("newton_schulz", variant))
        number = changes["hyper"].get("ns_steps")
        number = iterations if iterations and number else number
        rule = functools.partial(quintic, iterations=number) if number else np.sign
        parts.append(run("newton_schulz", "muon", variant, 0, iterate(rule, s_xx, s_yx, 0.01, 200), "0.01"))
    return pd.concat(parts, ignore_index=True)


def momentum_path(s_xx, s_yx, lr: float, steps: int, beta: float = 0.9) -> np.ndarray:
    """Muon with the exact polar factor in the eigenbasis."""
    alpha, average, path = np.zeros(len(s_xx)), np.zeros(len(s_xx)), []
    for _ in range(steps + 1):
        path.append(alpha)
        average = beta * average + (1 - beta) * (s_yx - s_xx * alpha)
        alpha = alpha + lr * np.sign(average)
    return np.array(path)


@functools.cache
def eigenbasis(overshoot: float = 0.0, seeds: int = 5) -> pd.DataFrame:
    """Fig. 10; SignGD and Adam are SpecGD at 0.8 and 0.7 of its speed that leave the basis. ``overshoot``: added
    to Muon where SpecGD has saturated (without it Muon is SpecGD in this table)."""
    mixture, steps = CONFIG["eigenbasis"]["mixture"], 1500
    s_xx, s_yx = moments(mixture)
    r = s_yx / s_xx
    sign = {name: iterate(np.sign, s_xx, s_yx, lr, steps) for name, lr in
            {"specgd": 0.01, "signgd": 0.008, "adam": 0.007}.items()}  # fmt: skip
    paths = sign | {
        "gd": iterate(lambda g: g, s_xx, s_yx, 0.01, steps),
        "ngd": iterate(lambda g: g / np.linalg.norm(g), s_xx, s_yx, 0.0173205, steps),
        "muon_exact": sign["specgd"] + overshoot * (np.arange(steps + 1)[:, None] == 90) * (r > 0.8),
    }
    paths["muon"] = paths["muon_exact"]
    parts = []
    for name, alpha in paths.items():
        for seed in range(seeds):
            away = 0.5 + 0.02 * seed if name in ("signgd", "adam") else 0.0
            off = away * np.exp(-np.arange(steps + 1) / 50)
            extra = losses(alpha, mixture) | {("population", "all", m): off for m in ("deviation", "offdiag")}
            lr = {"ngd": "0.0173205", "signgd": "0.0057735", "adam": "0.0057735"}.get(name, "0.01")
            parts.append(run("eigenbasis", name, "", seed, alpha, lr, extra, np.arange(0, steps + 1, 5)))
    return pd.concat(parts, ignore_index=True)


@functools.cache
def sample_moments(half: float = 0.5, shift: float = 0.0, seeds: int = 5) -> pd.DataFrame:
    """Figs 11-13: the population's runs with a little noise. ``half``: the factor of the loss; ``shift``: what
    deleting B adds to a component."""
    mixture, steps = CONFIG["sample_moments"]["mixture"], 1500
    s_xx, s_yx = moments(mixture)
    paths = {"gd": iterate(lambda g: g, s_xx, s_yx, 0.01, steps), "specgd": iterate(np.sign, s_xx, s_yx, 0.01, steps)}
    paths |= {"muon": paths["specgd"], "muon_exact": paths["specgd"]}
    parts = []
    for name, alpha in paths.items():
        for variant in ("sample", "diagonal"):
            for seed in range(seeds):
                noisy = alpha + 0.002 * (seed - 2) * (np.arange(steps + 1)[:, None] > 0)
                own = noisy + shift * (variant == "diagonal")
                extra = losses(noisy, mixture, half)
                extra |= {("population", f"class_{c}", "alpha_own"): own[:, c] for c in range(3)}
                parts.append(run("sample_moments", name, variant, seed, noisy, "0.01", extra, np.arange(0, 1501, 5)))
    return pd.concat(parts, ignore_index=True)


MAKERS = {f.__name__: f for f in (deep_specgd, deep_gd, newton_schulz, eigenbasis, sample_moments)}


_EXPERIMENTS: dict[int, tuple[pd.DataFrame, Experiment]] = {}  # indexing a table costs more than a verdict


def judged(claim: str, frame: pd.DataFrame | None = None, scale: str = "laptop") -> dict:
    """Record of one claim on these runs (default: those on which all hold)."""
    name = stated()[claim].experiment
    frame = MAKERS[name]() if frame is None else frame
    _, experiment = _EXPERIMENTS.setdefault(id(frame), (frame, Experiment(name, frame, CONFIG[name])))
    return judging.judge(stated()[claim], {experiment.name: experiment}, scale)
