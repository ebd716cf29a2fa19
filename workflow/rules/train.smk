# Training: one rule per optimizer (`tune_<name>` for the grid, `train_<name>` for the selected cell with all seeds).
# The rules are made in a loop; default arguments bind the loop's variables.
PHASES = {"tune": ("Tuning", "grid", "grid"), "train": ("Training", "runs", "final")}

for name, (verb, (doing, folder, phase)) in product(plan.optimizers, PHASES.items()):

    rule:
        name:
            f"{verb}_{name}"
        input:
            unpack(lambda w, optimizer=name, phase=phase: jobs.tuned(plan, w.experiment, optimizer, phase)),
            data=lambda wildcards: files.manifests(plan, wildcards.experiment),
            src=lambda wildcards, optimizer=name: sources.training(plan, wildcards.experiment, optimizer),
            checked=jobs.class_check(plan, name),
        output:
            f"{RESULTS}/{folder}/{{experiment}}/{name}.{{shard}}.parquet",
        log:
            f"{LOGS}/{verb}/{{experiment}}/{name}.{{shard}}.log",
        benchmark:
            f"{BENCHMARKS}/{verb}/{{experiment}}/{name}.{{shard}}.tsv"
        conda:
            ENVIRONMENT
        resources:
            gpu=GPUS,
        params:
            job=lambda w, optimizer=name, phase=phase: jobs.text(plan, w.experiment, optimizer, phase, w.shard),
            data=lambda wildcards: jobs.data_option(plan, wildcards.experiment),
            tuned=lambda w, optimizer=name, phase=phase: jobs.tuned_option(
                plan, w.experiment, optimizer, phase, w.shard
            ),
            checkpoints=lambda w, optimizer=name: files.checkpoints(plan, w.experiment, optimizer, w.shard),
            kept=lambda wildcards, optimizer=name: files.kept(plan, wildcards.experiment, optimizer),
        message:
            f"{doing} {name} on {{wildcards.experiment}}"
        shell:
            "python -m muon_imbalance.stages.train --job {params.job:q} {params.data} {params.tuned}"
            " --checkpoints {params.checkpoints} --kept {params.kept} --output {output} --sources {input.src} 2>&1 | tee {log}"


rule check_class:
    input:
        src=sources.stage(plan, "check_class"),
        own=lambda wildcards: sources.of_class(plan, wildcards.optimizer)[0],
    output:
        f"{RESULTS}/optimizers/{{optimizer}}.json",
    log:
        f"{LOGS}/check_class/{{optimizer}}.log",
    priority: 100
    conda:
        ENVIRONMENT
    params:
        own=lambda wildcards: json.dumps(jobs.class_settings(plan, wildcards.optimizer)),
        cases=lambda wildcards: jobs.class_cases(plan, wildcards.optimizer),
        version=lambda wildcards: sources.of_class(plan, wildcards.optimizer)[1],
    message:
        "Trying out the class of {wildcards.optimizer}"
    shell:
        "python -m muon_imbalance.stages.check_class --name {wildcards.optimizer} --own {params.own:q} --cases {params.cases:q}"
        " --output {output} 2>&1 | tee {log}"


rule select_cell:
    input:
        grid=lambda wildcards: files.grid_tables(plan, wildcards.experiment, wildcards.optimizer),
        src=sources.stage(plan, "select_cell"),
    output:
        files.selection(plan, "{experiment}", "{optimizer}"),
    log:
        f"{LOGS}/select_cell/{{experiment}}/{{optimizer}}.log",
    conda:
        ENVIRONMENT
    params:
        rule=lambda wildcards: json.dumps(plan.written(wildcards.experiment)["selection"]),
        values=lambda wildcards: json.dumps(sweeps.grid_of(plan, wildcards.experiment, wildcards.optimizer)),
    message:
        "Selecting the hyperparameters of {wildcards.optimizer} on {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.stages.select_cell --grid {input.grid} --rule {params.rule:q}"
        " --grid-values {params.values:q} --output {output} 2>&1 | tee {log}"
