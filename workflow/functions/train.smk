# What a training job reads and is told.


def sweep_cells(experiment, optimizer):
    """Cells of an optimizer's sweep on an experiment."""
    return cells(EXPERIMENTS[experiment]["sweep"][optimizer])


def tuned(wildcards, optimizer):
    """Grid table and selection file, where the sweep has more than one cell."""
    if len(sweep_cells(wildcards.experiment, optimizer)) == 1:
        return {}
    return {
        "grid": f"{RESULTS}/grid/{wildcards.experiment}/{optimizer}.{wildcards.shard}.parquet",
        "selection": f"{RESULTS}/selection/{wildcards.experiment}/{optimizer}.json",
    }


def data_inputs(wildcards):
    """The data set's manifest (its hashes stand for the arrays)."""
    return manifests(wildcards.experiment)


def training_sources(wildcards, optimizer):
    """Files that this job runs: the stage, its task, its model, its data set's loader, its optimizer."""
    experiment = EXPERIMENTS[wildcards.experiment]
    modules = ["train", f"training.{experiment['task']}"]
    if experiment["task"] == "classification":
        modules += [f"models.{experiment['model']['name']}"]
        modules += [f"data.{config['datasets'][experiment['dataset']]['builder']}"]
    rule_modules = optimizer_registry.modules(config["optimizers"][optimizer]["rule"])
    return sources(*modules, *(name.removeprefix("muon_imbalance.") for name in rule_modules))


def job(wildcards, optimizer, phase):
    """What `muon_imbalance.train` is told: only the settings that this job depends on."""
    experiment = EXPERIMENTS[wildcards.experiment]
    grid = sweep_cells(wildcards.experiment, optimizer)
    seeds = experiment["seeds"] if phase == "final" else experiment.get("grid_seeds", 1)
    settings = {
        key: experiment[key]
        for key in ("model", "metrics", "evaluate", "mixture", "pixel_range", "labels", "off_diagonal", "weighting")
        if key in experiment
    }
    if "dataset" in experiment:
        dataset = config["datasets"][experiment["dataset"]]
        settings["dataset"] = {"name": experiment["dataset"]} | {key: dataset[key] for key in ("builder", "config")}
    described = {
        "experiment": wildcards.experiment,
        "optimizer": optimizer,
        "phase": phase,
        "task": experiment["task"],
        "rule": config["optimizers"][optimizer]["rule"],
        "hyper": config["optimizers"][optimizer].get("hyper", {}) | experiment.get("hyper", {}).get(optimizer, {}),
        "cells": grid if phase == "grid" or len(grid) == 1 else [{}],
        "seeds": list(range(seeds)),
        "settings": settings,
        "device": config["device"],
        "checkpoint_seconds": config["checkpoint_seconds"],
    }
    described |= {
        key: experiment[key] for key in ("steps", "record", "stack", "chunk", "dtype", "variants") if key in experiment
    }
    return json.dumps(described, sort_keys=True)


def data_option(wildcards):
    """The data set's folder as an option of the stage."""
    dataset = EXPERIMENTS[wildcards.experiment].get("dataset")
    return f"--data {DATASETS}/{dataset}" if dataset else ""


def tuned_options(wildcards, input):
    """Grid table and selection file as options of the stage."""
    return " ".join(f"--{key} {input[key]}" for key in ("grid", "selection") if key in input.keys())


def checkpoints(wildcards, optimizer):
    """Folder of a job's checkpoints (no output: Snakemake would delete it)."""
    return f"{RESULTS}/checkpoints/{wildcards.experiment}/{optimizer}.{wildcards.shard}"
