# What the closed forms are evaluated for.
THEORY = [name for name, experiment in EXPERIMENTS.items() if "theory" in experiment]


def theory_config(wildcards):
    """Mixture, step size and curves of an experiment's closed forms."""
    experiment = EXPERIMENTS[wildcards.experiment]
    return json.dumps(experiment["theory"] | {"mixture": experiment["mixture"], "steps": experiment["steps"]})
