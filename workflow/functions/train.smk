# What a training job reads and is told.
from muon_imbalance.training import registry as tasks

SETTINGS = (
    *("model", "metrics", "evaluate", "mixture", "pixel_range", "labels", "off_diagonal", "weighting"),
    *("augment", "decode", "logit_share"),
)
PROTOCOL = (
    *("steps", "record", "schedule", "stack", "chunk", "dtype", "variants"),
    *("epochs", "batch", "warmup", "clip", "autocast", "compile"),
)


def sweep_of(experiment, optimizer):
    """Grid of an optimizer on an experiment."""
    try:
        return sweeps.grid_of(config, experiment, optimizer)
    except UserError as error:
        raise WorkflowError(str(error))


def sweep_cells(experiment, optimizer):
    """Cells of an optimizer's sweep on an experiment."""
    return cells(sweep_of(experiment, optimizer))


def grid_tables(experiment, optimizer):
    """Tables of an optimizer's grid: one, or one for each cell and seed."""
    described, count = EXPERIMENTS[experiment], 1
    if described.get("shards") == "each":
        count = len(sweep_cells(experiment, optimizer)) * described.get("grid_seeds", 1)
    return [f"{RESULTS}/grid/{experiment}/{optimizer}.{shard}.parquet" for shard in range(count)]


def tuned(wildcards, optimizer):
    """Grid table and selection file, where the sweep has more than one cell; or the selection of another experiment."""
    if len(sweep_cells(wildcards.experiment, optimizer)) == 1:
        return {}
    if tuner := EXPERIMENTS[wildcards.experiment].get("frozen_from"):
        return {"selection": f"{RESULTS}/selection/{tuner}/{optimizer}.json"}
    return {
        "grid": grid_tables(wildcards.experiment, optimizer),
        "selection": f"{RESULTS}/selection/{wildcards.experiment}/{optimizer}.json",
    }


def data_inputs(wildcards):
    """The data set's manifest (its hashes stand for the arrays)."""
    return manifests(wildcards.experiment)


def training_sources(wildcards, optimizer):
    """Files that this job runs: the stage, its task, its model, its data set's loader, its optimizer."""
    experiment = EXPERIMENTS[wildcards.experiment]
    modules = ["stages.train", tasks.module_name(experiment["task"])]
    if experiment["task"] in tasks.NAMED:
        modules += [models.module_name(experiment["model"]["name"])]
        modules += [builders.module_name(config["datasets"][experiment["dataset"]]["builder"])]
    if is_own(optimizer):
        return sources(*modules, "optimizers.torch_bridge.torch_class") + own_files(optimizer)
    rule_modules = optimizer_registry.modules(config["optimizers"][optimizer]["rule"])
    return sources(*modules, *rule_modules)


def is_own(optimizer):
    """True for a torch class that the configuration names."""
    return "class" in config["optimizers"][optimizer]


def own_settings(optimizer):
    """Where a torch class comes from, and what it takes."""
    described = config["optimizers"][optimizer]
    return {key: described[key] for key in ("class", "path", "only_matrices") if key in described}


def own_files(optimizer):
    """Files of a torch class (its package, if it is one of your own; the named module, if it is installed)."""
    described = config["optimizers"][optimizer]
    return [str(path) for path in user_code.origin(described["class"], described.get("path"))[0]]


def own_version(optimizer):
    """Version of the installed package that a torch class is from."""
    described = config["optimizers"][optimizer]
    return user_code.origin(described["class"], described.get("path"))[1]


def own_check(optimizer):
    """Record of the trial of a torch class: its training jobs wait for it, no others do."""
    return [f"{RESULTS}/optimizers/{optimizer}.json"] if is_own(optimizer) else []


def own_cases(optimizer):
    """What a torch class is tried out with: its arguments on every experiment that it is part of."""
    cases = []
    for name, experiment in EXPERIMENTS.items():
        if optimizer in experiment.get("sweep", {}) or name in CARD["experiments"]:
            cases.append(
                {
                    "experiment": name,
                    "hyper": fixed_hyper(name, optimizer),
                    "grid": sweep_of(name, optimizer),
                    "dtype": experiment["dtype"],
                    "vectors": experiment["model"]["name"] not in sweeps.WITHOUT_VECTORS,
                }
            )
    return json.dumps(cases)


def fixed_hyper(experiment, optimizer):
    """Hyperparameters that are not swept; those of the experiment go before those of the optimizer."""
    return config["optimizers"][optimizer].get("hyper", {}) | EXPERIMENTS[experiment].get("hyper", {}).get(
        optimizer, {}
    )


def job(wildcards, optimizer, phase):
    """What `muon_imbalance.stages.train` is told: only the settings that this job depends on."""
    experiment = EXPERIMENTS[wildcards.experiment]
    grid = sweep_cells(wildcards.experiment, optimizer)
    seeds = list(range(experiment["seeds"] if phase == "final" else experiment.get("grid_seeds", 1)))
    shard, split = int(getattr(wildcards, "shard", 0)), experiment.get("shards") == "each"
    if split and phase == "final":
        seeds = [shard]
    elif split:
        cell, seed = divmod(shard, len(seeds))
        grid, seeds = [grid[cell]], [seed]
    settings = {key: experiment[key] for key in SETTINGS if key in experiment}
    if "dataset" in experiment:
        dataset = config["datasets"][experiment["dataset"]]
        settings["dataset"] = {"name": experiment["dataset"]} | {key: dataset[key] for key in ("builder", "config")}
    described = {
        "experiment": wildcards.experiment,
        "optimizer": optimizer,
        "phase": phase,
        "task": experiment["task"],
        "rule": config["optimizers"][optimizer].get("rule", ""),
        "hyper": fixed_hyper(wildcards.experiment, optimizer),
        "cells": grid if phase == "grid" or len(grid) == 1 else [{}],
        "seeds": seeds,
        "first_run": shard,
        "settings": settings,
        "device": config["device"],
        "checkpoint_seconds": config["checkpoint_seconds"],
        "checkpoint_epochs": config.get("checkpoint_epochs", False),
    }
    described |= {"own": own_settings(optimizer)} if is_own(optimizer) else {}
    described |= {key: experiment[key] for key in PROTOCOL if key in experiment}
    return json.dumps(described, sort_keys=True)


def data_option(wildcards):
    """The data set's folder as an option of the stage."""
    dataset = EXPERIMENTS[wildcards.experiment].get("dataset")
    return f"--data {DATASETS}/{dataset}" if dataset else ""


def tuned_options(wildcards, input):
    """Grid table and selection file as options of the stage."""
    given = " ".join(f"--{key} {input[key]}" for key in ("grid", "selection") if key in input.keys())
    return given + (" --without-grid" if "grid" in input.keys() and wildcards.shard != "0" else "")


def checkpoints(wildcards, optimizer):
    """Folder of a job's checkpoints (no output: Snakemake would delete it)."""
    return f"{RESULTS}/checkpoints/{wildcards.experiment}/{optimizer}.{wildcards.shard}"
