"""What figures and tables are drawn from, and what their files say of themselves."""

import json
from collections.abc import Sequence
from typing import Any

from muon_imbalance.plan import claims, files, sources
from muon_imbalance.plan.planning import Plan

SHOWN = ("mixture", "model", "variants", "schedule")
"""What the closed forms of an experiment depend on."""


def notebook_file(plan: Plan, figure: str) -> str:
    """The committed notebook."""
    return f"notebooks/{files.stem(plan, figure)}.ipynb"


def runs(plan: Plan, figure: str) -> list[str]:
    """Run tables that a figure reads."""
    return [table for name in plan.figures[figure].experiments for table in files.run_tables(plan, name)]


def theory(plan: Plan, figure: str) -> list[str]:
    """Tables of closed forms that a figure reads."""
    return [files.theory_table(plan, name) for name in plan.figures[figure].theory]


def manifests(plan: Plan, figure: str) -> list[str]:
    """Manifests of the data sets behind a figure."""
    return files.all_manifests(plan, plan.figures[figure].experiments + plan.figures[figure].theory)


def source_files(plan: Plan, figure: str) -> list[str]:
    """Files that rendering a figure runs (a table shows every update rule)."""
    found = sources.of_notebook(plan, notebook_file(plan, figure))
    if figure.startswith("tab_"):
        found = found + sources.of_rules(plan)
    return sorted(set(found))


def given_parameters(plan: Plan, figure: str) -> dict[str, Any]:
    """Parameters of a notebook, beside those that the runner sets itself."""
    described = plan.figures[figure]
    given: dict[str, Any] = {"runs": runs(plan, figure), "theory": theory(plan, figure)}
    if described.datasets:
        given["datasets"] = {name: files.dataset(plan, name) for name in described.datasets}
    if described.settings:
        written = {name: plan.written(name) for name in described.experiments}
        given["settings"] = {name: {key: x[key] for key in SHOWN if key in x} for name, x in written.items()}
    return given | described.parameters


def title(plan: Plan, figure: str) -> str:
    """Title of a figure; what stands in for the paper's data and weights is part of it."""
    places = ", ".join(f"{name} for {whose}" for name, whose in stand_ins(plan).get(figure, {}).items())
    return f"{plan.figures[figure].title} [{places}]" if places else plan.figures[figure].title


def provenance(plan: Plan, figure: str) -> str:
    """What the figure's json file says of its origin, as JSON (volatile facts are read when it runs)."""
    command, described = f"snakemake --cores all {figure}{plan.scale_option()}", plan.figures[figure]
    stated = claims.of_figure(plan, figure)
    return origin(plan, title(plan, figure), command, described.experiments, described.theory, stated)


def origin(
    plan: Plan, title: str, command: str, shown: list[str], theory: Sequence[str] = (), stated: Sequence[str] = ()
) -> str:
    """Origin of a figure or a report card as JSON: experiments and closed forms that it shows, ids of claims,
    manifests of data sets, and whether the settings behind it are the paper's, its sources', or chosen here, where
    that is said.
    """
    seeds, all_shown = {name: plan.training[name].seeds for name in shown}, [*shown, *theory]
    given = {"title": title, "scale": plan.scale, "command": command, "experiments": shown, "seeds": seeds}
    behind = [f"experiments.{name}." for name in all_shown]
    behind += [f"datasets.{files.dataset_of(plan, name)}." for name in all_shown]
    origins = {place: word for place, word in plan.loaded.origins.items() if place.startswith(tuple(behind))}
    data = files.all_manifests(plan, all_shown)
    return json.dumps(given | {"claims": list(stated), "data": data, "origins": origins})


def stand_ins(plan: Plan) -> dict[str, dict[str, str]]:
    """Figures that show other data or weights than the paper's, each with what stands in for what, such as
    ``{"fig_09": {"tales": "TinyStories"}}``; what a data set is made from counts as well.
    """
    found: dict[str, dict[str, str]] = {}
    for figure, described in plan.figures.items():
        names = [files.dataset_of(plan, name) for name in described.experiments + described.theory]
        for name in plan.lineage([*filter(None, names), *(described.datasets or ())]):
            entry = plan.datasets[name]
            if entry.stand_in_for:
                found.setdefault(figure, {})[entry.called or name] = entry.stand_in_for
    return found
