# Closed forms: no training, tables of curves.


rule solve:
    input:
        src=sources("solve"),
    output:
        f"{RESULTS}/theory/{{experiment}}.parquet",
    log:
        f"{LOGS}/solve/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/solve/{{experiment}}.tsv"
    conda:
        ENVIRONMENT
    params:
        config=theory_config,
    message:
        "Evaluating the closed forms of {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.solve --name {wildcards.experiment} --config {params.config:q}"
        " --output {output} 2>&1 | tee {log}"


rule theory:
    input:
        [theory_table(name) for name in THEORY],
        [figure_files(name) for name in THEORY_FIGURES],
