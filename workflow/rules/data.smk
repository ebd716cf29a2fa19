# Sources -> data sets. Archives are kept in a cache shared by all checkouts and checked before use.
rule download:
    input:
        src=sources.stage(plan, "download"),
    output:
        stamp="data/sources/{source}.json",
    log:
        "logs/download/{source}.log",
    conda:
        ENVIRONMENT
    params:
        options=lambda wildcards: datasets.download_option(plan, wildcards.source),
    message:
        "Downloading and checking {wildcards.source}"
    shell:
        "python -m muon_imbalance.stages.download --source {wildcards.source} {params.options} --output {output.stamp}"
        " 2>&1 | tee {log}"


rule build_dataset:
    input:
        unpack(lambda wildcards: datasets.inputs(plan, wildcards.dataset)),
        src=lambda wildcards: sources.building(plan, wildcards.dataset),
    output:
        arrays=f"{files.built(plan, '{dataset}')}/arrays.npz",
        manifest=f"{files.built(plan, '{dataset}')}/manifest.json",
    log:
        f"{LOGS}/build_dataset/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/build_dataset/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    params:
        builder=lambda wildcards: plan.datasets[wildcards.dataset].builder,
        config=lambda wildcards: datasets.config(plan, wildcards.dataset),
        inputs=lambda wildcards: datasets.inputs_option(plan, wildcards.dataset),
        folder=lambda wildcards: files.built(plan, wildcards.dataset),
    message:
        "Building data set {wildcards.dataset}"
    shell:
        "python -m muon_imbalance.stages.build_dataset --name {wildcards.dataset} --builder {params.builder}"
        " --config {params.config:q} --inputs {params.inputs:q} --output {params.folder} 2>&1 | tee {log}"
