# Closed forms: no training, tables of curves.
THEORY = [name for name, experiment in EXPERIMENTS.items() if "theory" in experiment]


def theory_config(wildcards):
    """Mixture, step size and curves of an experiment's closed forms."""
    experiment = EXPERIMENTS[wildcards.experiment]
    return json.dumps(experiment["theory"] | {"mixture": experiment["mixture"], "steps": experiment["steps"]})


rule solve:
    input:
        src=sources("solve"),
    output:
        f"{RESULTS}/theory/{{experiment}}.parquet",
    log:
        f"{LOGS}/solve/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/solve/{{experiment}}.tsv"
    params:
        config=theory_config,
    conda:
        ENVIRONMENT
    message:
        "Evaluating the closed forms of {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.solve --name {wildcards.experiment} --config {params.config:q}"
        " --output {output} 2>&1 | tee {log}"


rule theory:
    input:
        [theory_table(name) for name in THEORY],
        [run_tables(name) for name in THEORY],
        [figure_files(name) for name, figure in config["figures"].items() if figure.get("theory")],
