# How data sets are made: their sources, parents and options.


def dataset_source(dataset):
    """Name of the source that a data set is read from (none: it is generated or made from another one)."""
    return config["datasets"][dataset]["config"].get("source")


def dataset_inputs(wildcards):
    """Stamp of the source, or the parent data sets."""
    dataset = config["datasets"][wildcards.dataset]
    if "parents" in dataset:
        return {f"parent_{role}": f"{DATASETS}/{name}/manifest.json" for role, name in dataset["parents"].items()}
    if "parent" in dataset:
        return {"parent": f"{DATASETS}/{dataset['parent']}/manifest.json"}
    source = dataset_source(wildcards.dataset)
    return {"source": f"data/sources/{source}.json"} if source else {}


def builder_sources(wildcards):
    """Files that building runs: the stage, its builder (with its own table where it has one), and those of its parents."""
    dataset = config["datasets"][wildcards.dataset]
    builder, parents = dataset["builder"], dataset.get("parents", {}).values()
    table = module_file(builders.module_name(builder)).with_suffix(".csv")
    named = {builder, *(config["datasets"][name]["builder"] for name in parents)}
    return sources("stages.build_dataset", *(builders.module_name(name) for name in sorted(named))) + (
        [str(table.relative_to(ROOT))] if table.is_file() else []
    )


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
    """Where the builder finds its source or its parents (several: by the part each plays), as JSON."""
    dataset = config["datasets"][wildcards.dataset]
    if "parents" in dataset:
        return json.dumps({role: f"{DATASETS}/{name}" for role, name in dataset["parents"].items()})
    if "parent" in dataset:
        return json.dumps({dataset["parent"]: f"{DATASETS}/{dataset['parent']}"})
    source = dataset_source(wildcards.dataset)
    return json.dumps({source: f"data/sources/{source}.json"} if source else {})
