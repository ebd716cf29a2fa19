# Sources -> data sets. Archives are kept in a cache shared by all checkouts and checked before use.
def dataset_source(dataset):
    """Name of the source that a data set is read from (none: it is generated or made from another one)."""
    return config["datasets"][dataset]["config"].get("source")


def dataset_inputs(wildcards):
    """Stamp of the source, or the parent data set."""
    dataset = config["datasets"][wildcards.dataset]
    if "parent" in dataset:
        return {"parent": f"{DATASETS}/{dataset['parent']}/manifest.json"}
    source = dataset_source(wildcards.dataset)
    return {"source": f"data/sources/{source}.json"} if source else {}


def download_options(wildcards):
    """A user's own folder, for sources that are one."""
    if not wildcards.source.endswith("_folder"):
        return ""
    verify = all(d["config"].get("verify", True) for d in config["datasets"].values())
    return f"--data-dir {config['data_dir']!r}" + ("" if verify else " --no-verify")


def builder_config(wildcards):
    """Options of the builder, as JSON."""
    dataset = config["datasets"][wildcards.dataset]
    return json.dumps(dataset["config"] | ({"parent": dataset["parent"]} if "parent" in dataset else {}))


def builder_inputs(wildcards):
    """Where the builder finds its source or its parent, as JSON."""
    dataset = config["datasets"][wildcards.dataset]
    if "parent" in dataset:
        return json.dumps({dataset["parent"]: f"{DATASETS}/{dataset['parent']}"})
    source = dataset_source(wildcards.dataset)
    return json.dumps({source: f"data/sources/{source}.json"} if source else {})


rule download:
    input:
        src=sources("download"),
    output:
        stamp="data/sources/{source}.json",
    log:
        "logs/download/{source}.log",
    params:
        options=download_options,
    conda:
        ENVIRONMENT
    message:
        "Downloading and checking {wildcards.source}"
    shell:
        "python -m muon_imbalance.download --source {wildcards.source} {params.options} --output {output.stamp}"
        " 2>&1 | tee {log}"


rule build_dataset:
    input:
        unpack(dataset_inputs),
        src=lambda wildcards: sources("prepare", f"data.{config['datasets'][wildcards.dataset]['builder']}"),
    output:
        arrays=f"{DATASETS}/{{dataset}}/arrays.npz",
        manifest=f"{DATASETS}/{{dataset}}/manifest.json",
    log:
        f"{LOGS}/build_dataset/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/build_dataset/{{dataset}}.tsv"
    params:
        builder=lambda wildcards: config["datasets"][wildcards.dataset]["builder"],
        config=builder_config,
        inputs=builder_inputs,
        folder=lambda wildcards, output: str(Path(output.manifest).parent),
    conda:
        ENVIRONMENT
    message:
        "Building data set {wildcards.dataset}"
    shell:
        "python -m muon_imbalance.prepare --name {wildcards.dataset} --builder {params.builder}"
        " --config {params.config:q} --inputs {params.inputs:q} --output {params.folder} 2>&1 | tee {log}"
