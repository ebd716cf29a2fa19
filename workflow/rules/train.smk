# Training: one rule per optimizer (`tune_<name>` for the grid, `train_<name>` for the selected cell with all seeds).
# The rules are made in a loop; a default argument binds the loop variable.
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
    settings = {key: experiment[key] for key in ("model", "metrics", "evaluate", "mixture", "pixel_range") if key in experiment}
    if "dataset" in experiment:
        dataset = config["datasets"][experiment["dataset"]]
        settings["dataset"] = {"name": experiment["dataset"]} | {key: dataset[key] for key in ("builder", "config")}
    described = {
        "experiment": wildcards.experiment,
        "optimizer": optimizer,
        "phase": phase,
        "task": experiment["task"],
        "rule": config["optimizers"][optimizer]["rule"],
        "hyper": config["optimizers"][optimizer].get("hyper", {}),
        "cells": grid if phase == "grid" or len(grid) == 1 else [{}],
        "seeds": list(range(seeds)),
        "settings": settings,
        "device": config["device"],
        "checkpoint_seconds": config["checkpoint_seconds"],
    }
    described |= {key: experiment[key] for key in ("steps", "record", "stack", "chunk", "dtype") if key in experiment}
    return json.dumps(described, sort_keys=True)


def data_option(wildcards):
    """The data set's folder as an option of the stage."""
    dataset = EXPERIMENTS[wildcards.experiment].get("dataset")
    return f"--data {DATASETS}/{dataset}" if dataset else ""


for name in config["optimizers"]:

    rule:
        name:
            f"tune_{name}"
        input:
            data=data_inputs,
            src=lambda wildcards, optimizer=name: training_sources(wildcards, optimizer),
        output:
            f"{RESULTS}/grid/{{experiment}}/{name}.{{shard}}.parquet",
        log:
            f"{LOGS}/tune/{{experiment}}/{name}.{{shard}}.log",
        benchmark:
            f"{BENCHMARKS}/tune/{{experiment}}/{name}.{{shard}}.tsv"
        params:
            job=lambda wildcards, optimizer=name: job(wildcards, optimizer, "grid"),
            data=data_option,
            checkpoints=lambda wildcards, optimizer=name: (
                f"{RESULTS}/checkpoints/{wildcards.experiment}/{optimizer}.{wildcards.shard}"
            ),
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1 if config["device"] == "cuda" else 0,
        message:
            f"Tuning {name} on {{wildcards.experiment}}"
        shell:
            "python -m muon_imbalance.train --job {params.job:q} {params.data} --checkpoints {params.checkpoints}"
            " --output {output} 2>&1 | tee {log}"

    rule:
        name:
            f"train_{name}"
        input:
            unpack(lambda wildcards, optimizer=name: tuned(wildcards, optimizer)),
            data=data_inputs,
            src=lambda wildcards, optimizer=name: training_sources(wildcards, optimizer),
        output:
            f"{RESULTS}/runs/{{experiment}}/{name}.{{shard}}.parquet",
        log:
            f"{LOGS}/train/{{experiment}}/{name}.{{shard}}.log",
        benchmark:
            f"{BENCHMARKS}/train/{{experiment}}/{name}.{{shard}}.tsv"
        params:
            job=lambda wildcards, optimizer=name: job(wildcards, optimizer, "final"),
            data=data_option,
            tuned=lambda wildcards, input: " ".join(
                f"--{key} {input[key]}" for key in ("grid", "selection") if key in input.keys()
            ),
            checkpoints=lambda wildcards, optimizer=name: (
                f"{RESULTS}/checkpoints/{wildcards.experiment}/{optimizer}.{wildcards.shard}"
            ),
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1 if config["device"] == "cuda" else 0,
        message:
            f"Training {name} on {{wildcards.experiment}}"
        shell:
            "python -m muon_imbalance.train --job {params.job:q} {params.data} {params.tuned}"
            " --checkpoints {params.checkpoints} --output {output} 2>&1 | tee {log}"


rule select_cell:
    input:
        grid=f"{RESULTS}/grid/{{experiment}}/{{optimizer}}.0.parquet",
        src=sources("select_cell"),
    output:
        f"{RESULTS}/selection/{{experiment}}/{{optimizer}}.json",
    log:
        f"{LOGS}/select_cell/{{experiment}}/{{optimizer}}.log",
    params:
        rule=lambda wildcards: json.dumps(EXPERIMENTS[wildcards.experiment]["selection"]),
        values=lambda wildcards: json.dumps(EXPERIMENTS[wildcards.experiment]["sweep"][wildcards.optimizer]),
    conda:
        ENVIRONMENT
    message:
        "Selecting the hyperparameters of {wildcards.optimizer} on {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.select_cell --grid {input.grid} --rule {params.rule:q}"
        " --grid-values {params.values:q} --output {output} 2>&1 | tee {log}"
