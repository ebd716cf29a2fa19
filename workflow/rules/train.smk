# Training: one rule per optimizer (`tune_<name>` for the grid, `train_<name>` for the selected cell with all seeds).
# The rules are made in a loop; a default argument binds the loop variable.
for name in config["optimizers"]:

    rule:
        name:
            f"tune_{name}"
        input:
            data=data_inputs,
            src=lambda wildcards, optimizer=name: training_sources(wildcards, optimizer),
            checked=own_check(name),
        output:
            f"{RESULTS}/grid/{{experiment}}/{name}.{{shard}}.parquet",
        log:
            f"{LOGS}/tune/{{experiment}}/{name}.{{shard}}.log",
        benchmark:
            f"{BENCHMARKS}/tune/{{experiment}}/{name}.{{shard}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1 if config["device"] == "cuda" else 0,
        params:
            job=lambda wildcards, optimizer=name: job(wildcards, optimizer, "grid"),
            data=data_option,
            checkpoints=lambda wildcards, optimizer=name: checkpoints(wildcards, optimizer),
        message:
            f"Tuning {name} on {{wildcards.experiment}}"
        shell:
            "python -m muon_imbalance.stages.train --job {params.job:q} {params.data} --checkpoints {params.checkpoints}"
            " --output {output} --sources {input.src} 2>&1 | tee {log}"

    rule:
        name:
            f"train_{name}"
        input:
            unpack(lambda wildcards, optimizer=name: tuned(wildcards, optimizer)),
            data=data_inputs,
            src=lambda wildcards, optimizer=name: training_sources(wildcards, optimizer),
            checked=own_check(name),
        output:
            f"{RESULTS}/runs/{{experiment}}/{name}.{{shard}}.parquet",
        log:
            f"{LOGS}/train/{{experiment}}/{name}.{{shard}}.log",
        benchmark:
            f"{BENCHMARKS}/train/{{experiment}}/{name}.{{shard}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=1 if config["device"] == "cuda" else 0,
        params:
            job=lambda wildcards, optimizer=name: job(wildcards, optimizer, "final"),
            data=data_option,
            tuned=tuned_options,
            checkpoints=lambda wildcards, optimizer=name: checkpoints(wildcards, optimizer),
        message:
            f"Training {name} on {{wildcards.experiment}}"
        shell:
            "python -m muon_imbalance.stages.train --job {params.job:q} {params.data} {params.tuned}"
            " --checkpoints {params.checkpoints} --output {output} --sources {input.src} 2>&1 | tee {log}"


rule check_own:
    input:
        src=sources("stages.check_class"),
        own=lambda wildcards: own_files(wildcards.optimizer),
    output:
        f"{RESULTS}/optimizers/{{optimizer}}.json",
    log:
        f"{LOGS}/check_own/{{optimizer}}.log",
    priority: 100
    conda:
        ENVIRONMENT
    params:
        own=lambda wildcards: json.dumps(own_settings(wildcards.optimizer)),
        cases=lambda wildcards: own_cases(wildcards.optimizer),
        version=lambda wildcards: own_version(wildcards.optimizer),
    message:
        "Trying out the class of {wildcards.optimizer}"
    shell:
        "python -m muon_imbalance.stages.check_class --name {wildcards.optimizer} --own {params.own:q} --cases {params.cases:q}"
        " --output {output} 2>&1 | tee {log}"


rule select_cell:
    input:
        grid=lambda wildcards: grid_tables(wildcards.experiment, wildcards.optimizer),
        src=sources("stages.select_cell"),
    output:
        f"{RESULTS}/selection/{{experiment}}/{{optimizer}}.json",
    log:
        f"{LOGS}/select_cell/{{experiment}}/{{optimizer}}.log",
    conda:
        ENVIRONMENT
    params:
        rule=lambda wildcards: json.dumps(EXPERIMENTS[wildcards.experiment]["selection"]),
        values=lambda wildcards: json.dumps(sweep_of(wildcards.experiment, wildcards.optimizer)),
    message:
        "Selecting the hyperparameters of {wildcards.optimizer} on {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.stages.select_cell --grid {input.grid} --rule {params.rule:q}"
        " --grid-values {params.values:q} --output {output} 2>&1 | tee {log}"
