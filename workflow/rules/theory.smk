# Closed forms: no training, tables of curves.


rule solve:
    input:
        data=lambda wildcards: files.manifests(plan, wildcards.experiment),
        src=lambda wildcards: sources.solving(plan, wildcards.experiment),
    output:
        f"{RESULTS}/theory/{{experiment}}.parquet",
    log:
        f"{LOGS}/solve/{{experiment}}.log",
    benchmark:
        f"{BENCHMARKS}/solve/{{experiment}}.tsv"
    conda:
        ENVIRONMENT
    params:
        config=lambda wildcards: datasets.theory_config(plan, wildcards.experiment),
        data=lambda wildcards: jobs.data_option(plan, wildcards.experiment),
    message:
        "Evaluating the closed forms of {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.stages.solve --name {wildcards.experiment} --config {params.config:q} {params.data}"
        " --output {output} 2>&1 | tee {log}"


rule theory:
    input:
        datasets.theory_targets(plan),
