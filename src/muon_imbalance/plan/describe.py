"""``muon-imbalance job FILE``: what a file's job is given, where each setting is written, how to run it by hand."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import datasets, files, jobs, sweeps
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
        if "optimizer" in self.named:
            tables = files.final_tables if self.named.get("phase") == "runs" else files.grid_tables
            there = tables(plan, self.named["experiment"], self.named["optimizer"])
            if self.stage == "train" and self.path not in there:
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
    kind = "dataset" if target.stage == "build_dataset" else "figure"
    return list(_leaves("", plan.config[f"{kind}s"][named[kind]], f"{kind}s.{named[kind]}"))


def _training(plan: Plan, experiment: str, optimizer: str, phase: str, shard: str) -> Iterator[Row]:
    """Settings of a training job, in the order of its record."""
    phase = {"runs": "final"}.get(phase, phase)
    where, entry = f"experiments.{experiment}", f"optimizers.{optimizer}"
    special = plan.training[experiment].hyper.get(optimizer, {})
    places = dict.fromkeys(("experiment", "optimizer", "phase", "first_run"), "")
    places |= {key: key for key in type(plan.run).model_fields}
    places |= {"rule": f"{entry}.rule", "own": entry, "cells": sweeps.grid_place(plan, experiment, optimizer)}
    places["seeds"] = f"{where}.{'seeds' if phase == 'final' else 'grid_seeds'}"
    for key, value in jobs.job(plan, experiment, optimizer, phase, shard).items():
        if key == "settings":
            if dataset := value.pop("dataset", None):
                name = dataset["name"]
                yield "dataset", name, f"{where}.dataset"
                yield "dataset.builder", dataset["builder"], f"datasets.{name}.builder"
                yield from _leaves("dataset", dataset["config"], f"datasets.{name}.config")
            yield from _leaves("", value, where)
        elif key == "hyper":
            for name, setting in value.items():
                place = f"{where}.hyper.{optimizer}" if name in special else f"{entry}.hyper"
                yield from _leaves(f"hyper.{name}", setting, f"{place}.{name}")
        else:
            shown = "selected" if key == "cells" and value == [{}] else value
            yield from _leaves("" if key == "own" else key, shown, places.get(key, f"{where}.{key}"))


def _leaves(name: str, value: Any, place: str) -> Iterator[Row]:
    """Settings within a setting."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}" if name else key, inner, f"{place}.{key}")
    else:
        yield name, value, place


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
    """The command that makes the file as a line for a shell, as a dry run of Snakemake shows it.

    Raises:
        UserError: Snakemake makes no such file.
    """
    call = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--printshellcmds", "--force", target.path]
    done = subprocess.run(
        [*call, "--config", f"scale={plan.scale}"], cwd=plan.root, capture_output=True, text=True, check=False
    )
    commands = re.findall(r"python (-m muon_imbalance\..*?)(?: --sources .*)? 2>&1 \| tee", done.stdout + done.stderr)
    if done.returncode or not commands:
        raise UserError(f"{target.path}: Snakemake cannot make it; snakemake --dry-run {target.path} says why")
    return f"PYTHONPATH=src OMP_NUM_THREADS=1 .venv/bin/python {commands[-1]}"  # its inputs' come before
