"""``muon-imbalance job FILE``: what a file's job is given, where each setting is written, how to run it by hand."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import datasets, figures, files, jobs, sweeps
from muon_imbalance.plan.planning import Plan
from muon_imbalance.plan.records import SCALES

Row = tuple[str, Any, str]
"""A setting's name, its value, and its dotted place in the configuration ("" where it has none)."""
PATTERNS = {
    "train": r"results/(?P<scale>\w+)/(?P<phase>runs|grid)/(?P<experiment>\w+)/"
    r"(?P<optimizer>\w+)\.(?P<shard>\d+)\.parquet",
    "select_cell": r"results/(?P<scale>\w+)/selection/(?P<experiment>\w+)/(?P<optimizer>\w+)\.json",
    "solve": r"results/(?P<scale>\w+)/theory/(?P<experiment>\w+)\.parquet",
    "build_dataset": r"data/datasets/(?P<scale>\w+)/(?P<dataset>\w+)(/[\w.]+)?",
    "render": r"(results/(?P<scale>\w+)/)?([\w./-]+/)?(?P<figure>(fig|tab)_s?\d+)_\w+\.\w+",
}
"""Stage -> the files that it writes."""


@dataclass(frozen=True)
class Target:
    """A file that a job writes: the stage, and what its path says."""

    path: str
    stage: str
    named: dict[str, str]

    @classmethod
    def of(cls, path: str) -> "Target":
        """The job of a path below the project's folder.

        Raises:
            UserError: no job writes such a file, or the scale does not exist.
        """
        for stage, pattern in PATTERNS.items():
            if found := re.fullmatch(pattern, path):
                named = {key: value for key, value in found.groupdict().items() if value}
                if named.get("scale", SCALES[0]) not in SCALES:
                    raise UserError(f"{path}: the scale {named['scale']!r} is unknown; allowed: {', '.join(SCALES)}")
                return cls(path, stage, named)
        raise UserError(f"{path} is no file of a job; allowed: a table in results/<scale>/runs, grid or theory, or a "
                        "file in selection/, data/datasets/ or figures/")  # fmt: skip

    def check(self, plan: Plan) -> None:
        """Refuse a file that this configuration does not make.

        Raises:
            UserError: naming what it has.
        """
        known = {"figure": plan.figures, "dataset": plan.datasets, "optimizer": plan.optimizers}
        known["experiment"] = datasets.theory_experiments(plan) if self.stage == "solve" else plan.training
        for key, allowed in known.items():
            if key in self.named:
                sweeps.known(self.named[key], allowed, f"{self.path}: {key}")
        if self.stage in ("train", "select_cell"):
            experiment, optimizer = self.named["experiment"], self.named["optimizer"]
            tables = files.final_tables if self.named.get("phase") == "runs" else files.grid_tables
            if self.stage == "train" and self.path not in (there := tables(plan, experiment, optimizer)):
                raise UserError(f"{self.path}: no such shard; allowed: {there[0]} to {Path(there[-1]).name}")


def rows(plan: Plan, target: Target) -> list[Row]:
    """What the job is given, one row a setting."""
    named = target.named
    if target.stage == "train":
        return list(_training(plan, **{key: named[key] for key in ("experiment", "optimizer", "phase", "shard")}))
    if target.stage == "select_cell":
        x, y = named["experiment"], named["optimizer"]
        rule = _leaves("rule", plan.written(x)["selection"], f"experiments.{x}.selection")
        return [*rule, ("grid", sweeps.grid_of(plan, x, y), sweeps.grid_place(plan, x, y))]
    if target.stage == "solve":
        x = f"experiments.{named['experiment']}"
        given = json.loads(datasets.theory_config(plan, named["experiment"]))
        places = {"mixture": f"{x}.mixture", "steps": f"{x}.steps"}
        inner = f"{x}.theory.config" if "table" in given else f"{x}.theory"
        return [row for key, value in given.items() for row in _leaves(key, value, places.get(key, f"{inner}.{key}"))]
    if target.stage == "build_dataset":
        x = named["dataset"]
        return list(_leaves("", plan.config["datasets"][x], f"datasets.{x}"))
    return list(_leaves("", plan.config["figures"][named["figure"]], f"figures.{named['figure']}"))


def _training(plan: Plan, experiment: str, optimizer: str, phase: str, shard: str) -> Iterator[Row]:
    """Settings of a training job, in the order of its record."""
    phase = {"runs": "final"}.get(phase, phase)
    where, entry = f"experiments.{experiment}", f"optimizers.{optimizer}"
    special = plan.training[experiment].hyper.get(optimizer, {})
    for key, value in jobs.job(plan, experiment, optimizer, phase, shard).items():
        if key in ("experiment", "optimizer", "phase", "first_run"):
            yield key, value, ""
        elif key == "settings":
            for name, setting in value.items():
                if name == "dataset":
                    yield "dataset", setting["name"], f"{where}.dataset"
                    place = f"datasets.{setting['name']}"
                    yield from _leaves("dataset.builder", setting["builder"], f"{place}.builder")
                    yield from _leaves("dataset", setting["config"], f"{place}.config")
                else:
                    yield from _leaves(name, setting, f"{where}.{name}")
        elif key == "hyper":
            for name, setting in value.items():
                yield from _leaves(f"hyper.{name}", setting, f"{where if name in special else entry}.hyper."
                                   + (f"{optimizer}.{name}" if name in special else name))  # fmt: skip
        elif key == "own":
            yield from _leaves("", value, entry)
        elif key == "cells":
            yield "cells", "selected" if value == [{}] else value, sweeps.grid_place(plan, experiment, optimizer)
        elif key == "seeds":
            yield key, value, f"{where}.{'seeds' if phase == 'final' else 'grid_seeds'}"
        else:
            top = key if key in type(plan.run).model_fields else f"{entry}.rule" if key == "rule" else f"{where}.{key}"
            yield from _leaves(key, value, top)


def _leaves(name: str, value: Any, place: str) -> Iterator[Row]:
    """Settings within a setting."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else key, inner, f"{place}.{key}")
    else:
        yield name, value, place


def command(plan: Plan, target: Target) -> list[str]:
    """Arguments of Python that run the job by hand, from the project's folder; its inputs must be there."""
    named = target.named
    x = named.get("experiment") or named.get("dataset") or named["figure"]
    y, shard, output = named.get("optimizer", ""), named.get("shard", ""), ["--output", target.path]
    if target.stage == "train":
        final = named["phase"] == "runs"
        given = [
            "--job",
            jobs.text(plan, x, y, "final" if final else "grid", shard),
            *jobs.data_option(plan, x).split(),
        ]
        given += jobs.tuned_option(plan, x, y, shard).split() if final else []
        given += ["--checkpoints", files.checkpoints(plan, x, y, shard), *output]
    elif target.stage == "select_cell":
        given = ["--grid", *files.grid_tables(plan, x, y), "--rule", json.dumps(plan.written(x)["selection"])]
        given += ["--grid-values", json.dumps(sweeps.grid_of(plan, x, y)), *output]
    elif target.stage == "solve":
        given = ["--name", x, "--config", datasets.theory_config(plan, x), *jobs.data_option(plan, x).split(), *output]
    elif target.stage == "build_dataset":
        given = ["--name", x, "--builder", plan.datasets[x].builder, "--config", datasets.config(plan, x)]
        given += ["--inputs", datasets.inputs_option(plan, x), "--output", files.built(plan, x)]
    else:
        given = ["--id", x, "--notebook", figures.notebook_file(plan, x)]
        given += ["--parameters", json.dumps(figures.given_parameters(plan, x))]
        given += ["--provenance", figures.provenance(plan, x), "--figures-dir", plan.run.figures_dir]
        given += ["--executed", files.executed_notebook(plan, x)]
        given += ["--log-notebook", f"{files.logs(plan)}/render/{x}.ipynb"]
    return ["-m", f"muon_imbalance.stages.{target.stage}", *given]


def shown(plan: Plan, target: Target) -> list[list[str]]:
    """Rows as text: setting, value, where it is written and where it comes from."""
    found = []
    for name, value, place in rows(plan, target):
        text = value if isinstance(value, str) else json.dumps(value)
        written = (plan.loaded.places.of(place) or "config") if place else "the file's name"
        found.append(
            [name, text if len(text) <= 60 else f"{text[:57]}...", plan.loaded.origin(place) if place else "", written]
        )
    return found


def by_hand(plan: Plan, target: Target) -> str:
    """The command as a line for a shell."""
    return "PYTHONPATH=src OMP_NUM_THREADS=1 .venv/bin/python " + shlex.join(command(plan, target))
