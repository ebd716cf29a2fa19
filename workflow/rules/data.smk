# Sources -> data sets. Archives are kept in a cache shared by all checkouts and checked before use.
rule download:
    input:
        src=sources("stages.download"),
    output:
        stamp="data/sources/{source}.json",
    log:
        "logs/download/{source}.log",
    conda:
        ENVIRONMENT
    params:
        options=download_options,
    message:
        "Downloading and checking {wildcards.source}"
    shell:
        "python -m muon_imbalance.stages.download --source {wildcards.source} {params.options} --output {output.stamp}"
        " 2>&1 | tee {log}"


rule build_dataset:
    input:
        unpack(dataset_inputs),
        src=builder_sources,
    output:
        arrays=f"{DATASETS}/{{dataset}}/arrays.npz",
        manifest=f"{DATASETS}/{{dataset}}/manifest.json",
    log:
        f"{LOGS}/build_dataset/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/build_dataset/{{dataset}}.tsv"
    conda:
        ENVIRONMENT
    params:
        builder=lambda wildcards: config["datasets"][wildcards.dataset]["builder"],
        config=builder_config,
        inputs=builder_inputs,
        folder=lambda wildcards, output: str(Path(output.manifest).parent),
    message:
        "Building data set {wildcards.dataset}"
    shell:
        "python -m muon_imbalance.stages.build_dataset --name {wildcards.dataset} --builder {params.builder}"
        " --config {params.config:q} --inputs {params.inputs:q} --output {params.folder} 2>&1 | tee {log}"
