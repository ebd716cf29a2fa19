# Where things lie, and which of them exist at this scale; functions only.
SCALE = config["scale"]
RESULTS = f"results/{SCALE}"
DATASETS = f"data/datasets/{SCALE}"
FIGURES = config["figures_dir"]
LOGS = f"logs/{SCALE}"
BENCHMARKS = f"{RESULTS}/benchmarks"
ENVIRONMENT = str(ROOT / "envs/pipeline.yaml")
EXPERIMENTS = config["experiments"]
CARD = config.get("card", {"against": [], "experiments": {}})


wildcard_constraints:
    experiment="|".join(EXPERIMENTS),
    dataset="|".join(config["datasets"]),
    shard="[0-9]+",


def final_shards(experiment):
    """Jobs that an optimizer's final runs are split over: one, or one for each seed."""
    described = EXPERIMENTS[experiment]
    return range(described["seeds"] if described.get("shards") == "each" else 1)


def run_tables(experiment):
    """Tables of an experiment, one for each of its optimizers and their shards."""
    return [
        f"{RESULTS}/runs/{experiment}/{optimizer}.{shard}.parquet"
        for optimizer in EXPERIMENTS[experiment].get("sweep", {})
        for shard in final_shards(experiment)
    ]


def theory_table(experiment):
    """Table of an experiment's closed forms."""
    return f"{RESULTS}/theory/{experiment}.parquet"


def manifests(experiment):
    """Manifest of an experiment's data set (exact moments have none)."""
    described = EXPERIMENTS[experiment]
    dataset = described.get("dataset") or described.get("theory", {}).get("dataset")
    return [f"{DATASETS}/{dataset}/manifest.json"] if dataset else []


def figure_stem(figure):
    """File name of a figure or table without its ending."""
    return f"{figure}_{config['figures'][figure]['slug']}"


def figure_files(figure):
    """Finished files of a figure or table."""
    endings = ("csv", "html", "json") if figure.startswith("tab_") else ("pdf", "png", "csv", "json")
    return [f"{FIGURES}/{figure_stem(figure)}.{ending}" for ending in endings]


def executed_notebook(figure):
    """The notebook as it ran."""
    return f"{RESULTS}/notebooks/{figure_stem(figure)}.ipynb"
