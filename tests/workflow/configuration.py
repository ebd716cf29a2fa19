"""A scale's configuration, as Snakemake merges it."""

from pathlib import Path

import yaml

from muon_imbalance.plan.planning import without_nulls

ROOT = Path(__file__).parents[2]


def _laid_over(base, over):
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _laid_over(base.get(key), value) for key, value in over.items()}
    return over


def smoke_config() -> dict:
    """config.yaml with the smoke overlay."""
    return scale_config("smoke")


def drawn(config: dict) -> dict[str, dict]:
    """Experiments that a figure shows; the others are not trained."""
    shown = {name for figure in config["figures"].values() for name in figure["experiments"]}
    return {name: experiment for name, experiment in config["experiments"].items() if name in shown}


def scale_config(scale: str) -> dict:
    """config.yaml with the overlay of a scale (not laptop); what the overlay sets to null is left out."""
    files = (ROOT / "config.yaml", ROOT / f"workflow/scales/{scale}.yaml")
    base, over = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in files)
    return without_nulls(_laid_over(base, over))
