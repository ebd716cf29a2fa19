"""Training jobs: what each is given, what it reads, and how users' own classes are tried out before."""

import json
from typing import Any

from muon_imbalance.plan import files, rooms
from muon_imbalance.plan.experiments import settings_of
from muon_imbalance.plan.job import cells
from muon_imbalance.plan.planning import Plan
from muon_imbalance.plan.sweeps import grid_of

PROTOCOL = (
    *("steps", "record", "schedule", "stack", "chunk", "dtype", "variants"),
    *("epochs", "batch", "warmup", "clip", "autocast", "compile"),
)
"""Keys of an experiment that a job is given beside its task's settings."""


def job(plan: Plan, experiment: str, optimizer: str, phase: str, shard: int | str = 0) -> dict[str, Any]:
    """Fields of :class:`muon_imbalance.plan.job.Job`: only the settings that this job depends on.

    Args:
        phase: ``grid`` or ``final``.
        shard: number of the job, where a sweep is split over several.
    """
    described, written = plan.training[experiment], plan.written(experiment)
    grid, shard = cells(grid_of(plan, experiment, optimizer)), int(shard)
    seeds = list(range(described.seeds if phase == "final" else described.grid_seeds))
    if described.shards == "each" and phase == "final":
        seeds = [shard]
    elif described.shards == "each":
        cell, seed = divmod(shard, len(seeds))
        grid, seeds = [grid[cell]], [seed]
    given = {
        "experiment": experiment,
        "optimizer": optimizer,
        "phase": phase,
        "task": described.task,
        "rule": plan.optimizers[optimizer].rule,
        "hyper": fixed_hyper(plan, experiment, optimizer),
        "cells": grid if phase == "grid" or len(grid) == 1 else [{}],
        "seeds": seeds,
        "first_run": shard,
        "settings": settings_of(written, plan.datasets),
        "device": plan.run.device,
        "checkpoint_seconds": plan.config["checkpoint_seconds"],
        "checkpoint_epochs": plan.run.checkpoint_epochs,
    }
    given |= {"own": class_settings(plan, optimizer)} if plan.optimizers[optimizer].torch_class else {}
    return given | {key: written[key] for key in PROTOCOL if key in written}


def text(plan: Plan, experiment: str, optimizer: str, phase: str, shard: int | str = 0) -> str:
    """A job as JSON."""
    return json.dumps(job(plan, experiment, optimizer, phase, shard), sort_keys=True)


def fixed_hyper(plan: Plan, experiment: str, optimizer: str) -> dict[str, Any]:
    """Hyperparameters that are not swept; those of the experiment go before those of the optimizer."""
    return plan.optimizers[optimizer].hyper | plan.training[experiment].hyper.get(optimizer, {})


def tuned(plan: Plan, experiment: str, optimizer: str, phase: str) -> dict[str, Any]:
    """What final runs take over: grid tables and selection, where the sweep has more than one cell; or the selection of
    another experiment.
    """
    if phase == "grid" or len(cells(grid_of(plan, experiment, optimizer))) == 1:
        return {}
    if tuner := plan.training[experiment].frozen_from:
        return {"selection": files.selection(plan, tuner, optimizer)}
    grid = files.grid_tables(plan, experiment, optimizer)
    return {"grid": grid, "selection": files.selection(plan, experiment, optimizer)}


def tuned_option(plan: Plan, experiment: str, optimizer: str, phase: str, shard: int | str) -> str:
    """Grid tables and selection as options of the stage; the grid's rows go into the first shard's table."""
    given = tuned(plan, experiment, optimizer, phase)
    words = [f"--grid {' '.join(given['grid'])}"] if "grid" in given else []
    words += [f"--selection {given['selection']}"] if "selection" in given else []
    return " ".join(words + (["--without-grid"] if "grid" in given and str(shard) != "0" else []))


def data_option(plan: Plan, experiment: str) -> str:
    """Folder of an experiment's data set, or of its closed forms', as an option of the stage."""
    name = files.dataset_of(plan, experiment)
    return f"--data {files.dataset(plan, name)}" if name else ""


def class_settings(plan: Plan, optimizer: str) -> dict[str, Any]:
    """Where a torch class comes from, and what it takes."""
    entry = plan.config["optimizers"][optimizer]
    return {key: entry[key] for key in ("class", "path", "only_matrices") if key in entry}


def class_check(plan: Plan, optimizer: str) -> list[str]:
    """Record of the trial of a torch class: its training jobs wait for it, no others do."""
    return [f"{files.results(plan)}/optimizers/{optimizer}.json"] if plan.optimizers[optimizer].torch_class else []


def class_cases(plan: Plan, optimizer: str) -> str:
    """What a torch class is tried out with, as JSON: its arguments on every experiment that it is part of."""
    tried = [name for name, one in plan.training.items() if optimizer in one.sweep or name in plan.card.experiments]
    cases = [
        {
            "experiment": name,
            "hyper": fixed_hyper(plan, name, optimizer),
            "grid": grid_of(plan, name, optimizer),
            "dtype": plan.training[name].dtype,
            "vectors": rooms.has_vectors(plan.written(name)["model"]["name"]),
        }
        for name in tried
    ]
    return json.dumps(cases)
