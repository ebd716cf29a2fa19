"""The project's configuration with changes, and its plan."""

from functools import cache
from pathlib import Path
from typing import Any

from muon_imbalance.plan import files, jobs
from muon_imbalance.plan.job import cells
from muon_imbalance.plan.planning import Plan, load

ROOT = Path(__file__).parents[2]
SCALES = ("smoke", "laptop", "paper")


@cache
def plan_of(scale: str) -> Plan:
    """The plan of a scale, claims included."""
    return Plan.read(ROOT, {"scale": scale})


def planned(changes: dict[str, Any] | None = None, scale: str = "laptop") -> Plan:
    """The plan of the configuration with changes, as a user's file makes them; claims are not looked at."""
    return Plan.of(ROOT, load(ROOT, {"scale": scale} | (changes or {}), []))


def all_jobs(plan: Plan, experiment: str) -> list[dict[str, Any]]:
    """Every training job of an experiment, in the order of its sweep."""
    found = []
    for optimizer, grid in plan.training[experiment].sweep.items():
        if len(cells(grid)) > 1 and not plan.training[experiment].frozen_from:
            shards = range(len(files.grid_tables(plan, experiment, optimizer)))
            found += [jobs.job(plan, experiment, optimizer, "grid", shard) for shard in shards]
        shards = files.final_shards(plan, experiment)
        found += [jobs.job(plan, experiment, optimizer, "final", shard) for shard in shards]
    return found


def at(path: str, value: Any) -> dict[str, Any]:
    """Changes that set one value, at a path such as ``experiments/x/epochs``."""
    for part in reversed(path.split("/")):
        value = {part: value}
    return value
