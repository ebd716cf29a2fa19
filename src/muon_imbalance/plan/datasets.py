"""How data sets are made and closed forms are evaluated: sources, parents and options."""

import json

from muon_imbalance.plan import files, rooms
from muon_imbalance.plan.planning import Plan
from muon_imbalance.plan.sweeps import THEORY


def source(plan: Plan, name: str) -> str | None:
    """Source that a data set is read from (none: it is generated or made from another one)."""
    dataset = plan.datasets[name]
    return None if dataset.made_from else rooms.source(dataset.builder, dataset.config)


def inputs(plan: Plan, name: str) -> dict[str, list[str]]:
    """Stamp of the source, and manifests of the parents, by the names of a rule's inputs."""
    found = source(plan, name)
    parents = [f"{files.built(plan, parent)}/manifest.json" for parent in plan.datasets[name].made_from.values()]
    return {"source": [files.stamp(found)] if found else [], "parents": parents}


def inputs_option(plan: Plan, name: str) -> str:
    """Where the builder finds its source or its parents (several: by the part each plays), as JSON."""
    dataset = plan.datasets[name]
    if dataset.made_from:
        given = {dataset.parent: dataset.parent} if dataset.parent else dataset.parents
        return json.dumps({role: files.built(plan, parent) for role, parent in given.items()})
    return json.dumps({found: files.stamp(found)} if (found := source(plan, name)) else {})


def config(plan: Plan, name: str) -> str:
    """Options of the builder, as JSON."""
    dataset = plan.datasets[name]
    return json.dumps(dataset.config | ({"parent": dataset.parent} if dataset.parent else {}))


def download_option(plan: Plan, name: str) -> str:
    """A user's own folder, for sources that are one."""
    if not name.endswith("_folder"):
        return ""
    verify = all(one.config.get("verify", True) for one in plan.datasets.values())
    return f"--data-dir {plan.run.data_dir!r}" + ("" if verify else " --no-verify")


def theory_experiments(plan: Plan) -> list[str]:
    """Experiments with closed forms."""
    return [name for name, one in plan.experiments.items() if one.theory]


def theory_targets(plan: Plan) -> list[str]:
    """What the target ``theory`` makes: tables of closed forms, and the figures about them."""
    figures = [name for name, figure in plan.figures.items() if figure.theory or figure.topic == THEORY]
    tables = [files.theory_table(plan, name) for name in theory_experiments(plan)]
    return tables + [path for name in figures for path in files.figure_files(plan, name)]


def theory_config(plan: Plan, experiment: str) -> str:
    """What is evaluated, as JSON: a named table with its options, or curves for the experiment's mixture."""
    written = plan.written(experiment)
    theory = written["theory"]
    if "table" in theory:
        return json.dumps({"table": theory["table"]} | theory["config"])
    return json.dumps(theory | {"mixture": written["mixture"], "steps": written["steps"]})
