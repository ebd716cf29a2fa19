# What the closed forms are evaluated for.
THEORY = [name for name, experiment in EXPERIMENTS.items() if "theory" in experiment]
THEORY_FIGURES = [name for name, figure in config["figures"].items() if figure.get("theory") or "topic" in figure]


def theory_data(wildcards):
    """Manifest of the data set that a table reads."""
    return manifests(wildcards.experiment) if "dataset" in EXPERIMENTS[wildcards.experiment]["theory"] else []


def theory_sources(wildcards):
    """Files that solving runs: the stage, and the table's module and data set's loader where it has them."""
    theory = EXPERIMENTS[wildcards.experiment]["theory"]
    modules = [f"theory.tables.{theory['table']}"] if "table" in theory else []
    modules += [builders.module_name(config["datasets"][theory["dataset"]]["builder"])] if "dataset" in theory else []
    return sources("stages.solve", *modules)


def theory_config(wildcards):
    """What is evaluated: a named table with its options, or curves for the experiment's mixture."""
    experiment = EXPERIMENTS[wildcards.experiment]
    theory = experiment["theory"]
    if "table" in theory:
        return json.dumps({"table": theory["table"]} | theory["config"])
    return json.dumps(theory | {"mixture": experiment["mixture"], "steps": experiment["steps"]})


def theory_option(wildcards):
    """The data set's folder as an option of the stage."""
    dataset = EXPERIMENTS[wildcards.experiment]["theory"].get("dataset")
    return f"--data {DATASETS}/{dataset}" if dataset else ""
