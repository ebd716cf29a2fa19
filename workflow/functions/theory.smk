# What the closed forms are evaluated for.
THEORY = [name for name, experiment in EXPERIMENTS.items() if "theory" in experiment]
THEORY_FIGURES = [name for name, figure in config["figures"].items() if figure.get("theory") or "topic" in figure]


def theory_config(wildcards):
    """Mixture, step size and curves of an experiment's closed forms."""
    experiment = EXPERIMENTS[wildcards.experiment]
    return json.dumps(experiment["theory"] | {"mixture": experiment["mixture"], "steps": experiment["steps"]})
