# Where things lie, and which of them exist at this scale; functions only.
SCALE = config["scale"]
RESULTS = f"results/{SCALE}"
DATASETS = f"data/datasets/{SCALE}"
FIGURES = config["figures_dir"]
LOGS = f"logs/{SCALE}"
BENCHMARKS = f"{RESULTS}/benchmarks"
ENVIRONMENT = str(ROOT / "envs/pipeline.yaml")
EXPERIMENTS = config["experiments"]


wildcard_constraints:
    experiment="|".join(EXPERIMENTS),
    dataset="|".join(config["datasets"]),
    shard="[0-9]+",


def run_tables(experiment):
    """Tables of an experiment, one for each of its optimizers."""
    return [f"{RESULTS}/runs/{experiment}/{optimizer}.0.parquet" for optimizer in EXPERIMENTS[experiment]["sweep"]]


def theory_table(experiment):
    """Table of an experiment's closed forms."""
    return f"{RESULTS}/theory/{experiment}.parquet"


def manifests(experiment):
    """Manifest of an experiment's data set (population experiments have none)."""
    dataset = EXPERIMENTS[experiment].get("dataset")
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


def closing_words():
    """What to look at after a successful run."""
    words = []
    page = Path(f"{RESULTS}/report/index.html")
    if page.is_file():
        words.append(f"Report: {page}")
    claims = Path(f"{RESULTS}/claims.json")
    if claims.is_file():
        verdicts = [record["verdict"] for record in json.loads(claims.read_text(encoding="utf-8"))]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("holds", "fails", "inconclusive", "not-run"))
        words.append(f"Claims at scale {SCALE}: {counts}")
    return "\n".join(words)


def failing_words():
    """Where to look after a failed run."""
    return f"A job failed. Its log is shown above and lies in {LOGS}/. What was computed is kept; run again to go on."
