"""What figures and tables are drawn from, and what their files say of themselves."""

import json
from pathlib import Path
from typing import Any

from muon_imbalance.plan import claims, files, sources
from muon_imbalance.plan.planning import Plan
from muon_imbalance.reporting.notebooks import notebook_file as notebooks

RUNNERS = ("output_dir", "title", "data_label", "scale")
"""Parameters that the runner sets itself."""
SHOWN = ("mixture", "model", "variants", "schedule")
"""What the closed forms of an experiment depend on."""


def notebook_file(plan: Plan, figure: str) -> str:
    """The committed notebook."""
    return f"notebooks/{files.stem(plan, figure)}.ipynb"


def notebook_parameters(path: Path) -> dict[str, Any]:
    """Parameters that a notebook takes from its figure, with their defaults."""
    found = notebooks.parameters(notebooks.read(path), path)
    return {key: default for key, default in found.items() if key not in RUNNERS}


def runs(plan: Plan, figure: str) -> list[str]:
    """Run tables that a figure reads."""
    return [table for name in plan.figures[figure].experiments for table in files.run_tables(plan, name)]


def theory(plan: Plan, figure: str) -> list[str]:
    """Tables of closed forms that a figure reads."""
    return [files.theory_table(plan, name) for name in plan.figures[figure].theory]


def manifests(plan: Plan, figure: str) -> list[str]:
    """Manifests of the data sets behind a figure."""
    described = plan.figures[figure]
    shown = described.experiments + described.theory
    return sorted({path for name in shown for path in files.manifests(plan, name)})


def source_files(plan: Plan, figure: str) -> list[str]:
    """Files that rendering a figure runs (a table shows every update rule)."""
    found = sources.of_notebook(plan, notebook_file(plan, figure))
    if files.kind(figure) == "tab":
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


def parameters(plan: Plan, figure: str) -> str:
    """The same as JSON."""
    return json.dumps(given_parameters(plan, figure))


def title(plan: Plan, figure: str) -> str:
    """Title of a figure; what stands in for the paper's data and weights is part of it."""
    places = ", ".join(f"{name} for {whose}" for name, whose in stand_ins(plan).get(figure, {}).items())
    return f"{plan.figures[figure].title} [{places}]" if places else plan.figures[figure].title


def provenance(plan: Plan, figure: str) -> str:
    """What the figure's json file says of its origin, as JSON (volatile facts are read when it runs)."""
    described = plan.figures[figure]
    return json.dumps(
        {
            "title": title(plan, figure),
            "scale": plan.scale,
            "command": f"snakemake --cores all {figure}{plan.scale_option()}",
            "experiments": described.experiments,
            "seeds": {name: plan.training[name].seeds for name in described.experiments},
            "claims": claims.of_figure(plan, figure),
            "data": manifests(plan, figure),
            "origins": origins(plan, figure),
        }
    )


def origins(plan: Plan, figure: str) -> dict[str, str]:
    """Whether the settings behind a figure are the paper's, its sources', or chosen here, where that is said."""
    described = plan.figures[figure]
    shown = [*described.experiments, *described.theory]
    behind = [*(f"experiments.{name}." for name in shown)]
    behind += [f"datasets.{data}." for name in shown if (data := files.dataset_of(plan, name))]
    return {place: origin for place, origin in plan.loaded.origins.items() if place.startswith(tuple(behind))}


def stand_ins(plan: Plan) -> dict[str, dict[str, str]]:
    """Figures that show other data or weights than the paper's, each with what stands in for what, such as
    ``{"fig_09": {"tales": "TinyStories"}}``; what a data set is made from counts as well.
    """
    found: dict[str, dict[str, str]] = {}
    for figure, described in plan.figures.items():
        names = [files.dataset_of(plan, name) for name in (*described.experiments, *described.theory)]
        waiting, seen = [*filter(None, names), *(described.datasets or ())], set()
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            entry = plan.datasets[name]
            waiting += entry.made_from.values()
            if entry.stand_in_for:
                found.setdefault(figure, {})[entry.called or name] = entry.stand_in_for
    return found
