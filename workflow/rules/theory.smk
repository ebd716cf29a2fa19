# Closed forms: no training, tables of curves.


rule solve:
    input:
        data=theory_data,
        src=theory_sources,
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
        data=theory_option,
    message:
        "Evaluating the closed forms of {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.stages.solve --name {wildcards.experiment} --config {params.config:q} {params.data}"
        " --output {output} 2>&1 | tee {log}"


rule theory:
    input:
        [theory_table(name) for name in THEORY],
        [figure_files(name) for name in THEORY_FIGURES],
