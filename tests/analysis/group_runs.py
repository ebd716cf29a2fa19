"""Made-up runs of the figures on Colored-MNIST with grids, depths and weights, on which every claim holds."""

import functools
import json

import numpy as np
import pandas as pd

from .synthetic import rows

GRID = {"lr": ["0.03", "0.06", "0.12"], "momentum": ["0.9", "0.95"]}
SELECTION = {"metric": "accuracy", "split": "validation", "group": "minority", "at": "end", "goal": "max"}


def accuracies(steps, centre, height, start=8, splits=("test",)) -> dict:
    """One class until ``start``; then majority 1 and minority ``height * u``, its loss ``4 (1 - u)``, u sigmoid."""
    progress = 1 / (1 + np.exp(-(steps - centre) / 5))
    early = steps < start
    curves = {
        ("train", "minority", "loss"): np.where(steps < 12, np.minimum(0.69 + 0.3 * steps, 4.0), 4 * (1 - progress)),
        ("train", "all", "loss"): 0.7 * np.exp(-steps / 10) + 0.08 * (1 - progress),
        ("train", "majority", "accuracy"): np.where(early, 0.5, np.minimum(0.9 + steps / 800, 1.0)),
        ("train", "minority", "accuracy"): np.where(early, 0.5, progress),
    }
    for split in splits:
        curves[split, "majority", "accuracy"] = np.where(early, 0.5, 1.0)
        curves[split, "minority", "accuracy"] = np.where(early, 0.5, height * progress)
    return curves


def grid_run(optimizer, seed, centre, height, phase="final", lr="0.06", momentum="0.9") -> pd.DataFrame:
    """A run of the experiment of Figs 14 and 15."""
    steps = np.arange(0, 129, 4)
    curves = accuracies(steps, centre, height, splits=("validation", "test"))
    return rows("colored_mnist_grid", optimizer, seed, steps, curves, lr=lr, momentum=momentum, phase=phase)


def muon_grid(heights=(0.30, 0.32, 0.31), selected="0.06") -> pd.DataFrame:
    """Muon's grid by learning rate, nearly flat in the momentum, and its final runs at the selected cell."""
    cells = [
        grid_run("muon", 0, 30, height - 0.01 * (beta == "0.95"), "grid", lr, beta)
        for lr, height in zip(GRID["lr"], heights, strict=True)
        for beta in GRID["momentum"]
    ]
    finals = [grid_run("muon", seed, 30 + 0.2 * seed, 0.32 + 0.004 * seed, lr=selected) for seed in range(5)]
    return pd.concat([*cells, *finals], ignore_index=True)


@functools.cache
def all_optimizers() -> pd.DataFrame:
    """All of C14.*, C15.*, A15.* hold."""
    shapes = {"muon_exact": (31, 0.33), "muon_ns1": (45, 0.3), "shampoo": (40, 0.3), "nmd": (105, 0.25),
              "signum": (110, 0.25), "signgd": (122, 0.2), "sgd": (140, 0.2), "adam": (100, 0.25)}  # fmt: skip
    parts = [muon_grid()]
    for seed in range(5):
        draw = np.random.default_rng(seed)
        for name, (centre, height) in shapes.items():
            parts.append(grid_run(name, seed, centre + draw.normal(0, 1), height + draw.normal(0, 0.004)))
    return pd.concat(parts, ignore_index=True)


def variant_run(experiment, optimizer, variant, seed, curves, steps, **other) -> pd.DataFrame:
    """A run of one variant of an experiment."""
    return rows(experiment, optimizer, seed, steps, curves, hyper=json.dumps({"variant": variant}), **other)


def depths(centres=None) -> pd.DataFrame:
    """All of C6.*, A6.* hold: four layers are earlier, by more than their majority is."""
    centres = centres or {
        ("specgd", "layers2"): 90,
        ("specgd", "layers4"): 50,
        ("ngd", "layers2"): 160,
        ("ngd", "layers4"): 90,
    }
    steps, parts = np.arange(0, 201, 4), []
    for seed in range(3):
        draw = np.random.default_rng(seed)
        for (name, variant), centre in centres.items():
            curves = accuracies(steps, centre + draw.normal(0, 1), 0.3, start=12 if variant == "layers2" else 8)
            parts.append(variant_run("colored_mnist_depth", name, variant, seed, curves, steps))
    return pd.concat(parts, ignore_index=True)


@functools.cache
def losses() -> pd.DataFrame:
    """All of C29.*, A29.* hold: plain losses learn the minority late, weighted ones both together, Muon first."""
    steps, parts = np.arange(0, 61, 2), []
    shapes = {("nmd", "ce"): (1.0, 0.05), ("muon", "ce"): (1.0, 0.2), ("nmd", "weighted"): (0.8, 0.74),
              ("muon", "weighted"): (0.9, 0.82)}  # fmt: skip
    for seed in range(3):
        draw = np.random.default_rng(seed)
        for (name, variant), (high, low) in shapes.items():
            early = steps < 4
            noise = draw.normal(0, 0.004)
            majority, minority = np.where(early, 0.5, high), np.where(early, 0.5, low + noise)
            curves = {
                ("test", "majority", "accuracy"): majority,
                ("test", "minority", "accuracy"): minority,
                ("test", "balanced", "accuracy"): (majority + minority) / 2,
            }
            parts.append(variant_run("colored_mnist_weights", name, variant, seed, curves, steps))
    return pd.concat(parts, ignore_index=True)
