"""Runs that were trained before, kept one by one, so that more seeds or cells train only what is new.

A run is one cell, one repetition and one variant. Its rows lie in
``results/<scale>/kept/<experiment>/<optimizer>/<job>-<run>.parquet`` (no output of a rule: Snakemake would delete it),
where ``<job>`` stands for code and settings and ``<run>`` for cell, repetition and the data of that repetition. Raising
the number of repetitions of a data set changes neither.
"""

from dataclasses import asdict
from functools import cache
from pathlib import Path

import pyarrow

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import registry
from muon_imbalance.data.sources.digest import arrays_sha256
from muon_imbalance.plan.job import Job, Run
from muon_imbalance.runs import tables
from muon_imbalance.training.checkpoints import key

PER_RUN = ("phase", "cells", "seeds", "first_run", "stack", "variants", "chosen")
"""What a job says of which runs it has, and in which order; the rest decides what each run gives."""
SPLITS = ("train", "validation", "test")


def seen(builder: str, folder: Path, repetition: int) -> str:
    """Hash of all that a repetition's models can see of a data set."""
    module, digests = registry.module(builder), []
    for split in SPLITS:
        try:
            digests.append(arrays_sha256(module.load(folder, split, [repetition])))
        except UserError:  # a split that this builder does not have
            digests.append("")
    return key({"splits": digests, "weights": arrays_sha256(module.weights(folder))}, [])


class KeptRuns:
    """The runs of one optimizer on one experiment that are there already.

    Args:
        folder: theirs; ``files``: source files that decide the result; ``data``: folder of the data set.
        version: of an installed package that decides it too.
    """

    def __init__(self, folder: Path, job: Job, files: list[Path], data: Path | None, version: str = ""):
        self.folder, self.job, self.data = folder, job, data
        settings = {"version": version} | {
            name: value
            for name, value in asdict(job).items()
            if name not in PER_RUN and not name.startswith("checkpoint_")
        }
        self.prefix = key(_without_repetitions(settings), files)
        self._seen = cache(seen)

    def path(self, run: Run) -> Path:
        """Where a run's rows lie."""
        job, dataset = self.job, self.job.settings.get("dataset")
        own = {"cell": run.cell, "seed": run.seed, "variant": run.variant, "hyper": job.hyper_of(run.variant)}
        own["settings"] = _without_repetitions(job.settings_of(run.variant))
        own["data"] = self._seen(dataset["builder"], self.data, run.seed) if self.data and dataset else ""
        return self.folder / f"{self.prefix}-{key(own, [])}.parquet"

    def find(self, run: Run) -> pyarrow.Table | None:
        """A run's rows, with the phase and the number that it has in this job; None if it was not trained.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path(run)
        if not path.is_file():
            return None
        table = tables.read(path)
        for name, value in (("phase", self.job.phase), ("run", run.index)):
            position = table.column_names.index(name)
            table = table.set_column(position, name, pyarrow.array([value] * len(table), table[name].type))
        return table

    def keep(self, run: Run, table: pyarrow.Table) -> None:
        """Store a run's rows; those of other code or settings go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tables.write(self.path(run), table)
        for stale in self.folder.glob("*.parquet"):
            if not stale.name.startswith(f"{self.prefix}-"):
                stale.unlink(missing_ok=True)


def _without_repetitions(settings: dict) -> dict:
    """Settings without how many repetitions the data set has."""
    if isinstance(settings.get("settings"), dict):
        return settings | {"settings": _without_repetitions(settings["settings"])}
    dataset = settings.get("dataset")
    if not isinstance(dataset, dict):
        return settings
    config = {name: value for name, value in dataset["config"].items() if name != "repetitions"}
    return settings | {"dataset": dataset | {"config": config}}
