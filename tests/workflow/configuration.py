"""A scale's configuration, as the workflow loads it."""

from pathlib import Path

from muon_imbalance.plan.families import load

ROOT = Path(__file__).parents[2]


def smoke_config() -> dict:
    """The configuration at smoke scale."""
    return scale_config("smoke")


def drawn(config: dict) -> dict[str, dict]:
    """Experiments that a figure shows; the others are not trained."""
    shown = {name for figure in config["figures"].values() for name in figure["experiments"]}
    return {name: experiment for name, experiment in config["experiments"].items() if name in shown}


def scale_config(scale: str) -> dict:
    """The configuration at a scale."""
    return load(ROOT, {"scale": scale}).config
