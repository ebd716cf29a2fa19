"""Stage: train one optimizer's sweep on one experiment and write its tidy table.

Runs that were trained before (in the grid phase, or when fewer seeds were asked for) are not trained again.
"""

import argparse
import importlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow
import torch

from muon_imbalance.common import closure, tokens
from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.progress import Progress, start_logging
from muon_imbalance.common.schedules import factor
from muon_imbalance.data.registry import BUILDERS
from muon_imbalance.models.registry import MODELS
from muon_imbalance.optimizers import registry
from muon_imbalance.optimizers.base.in_place import InPlace
from muon_imbalance.optimizers.base.scheduled import Scheduled
from muon_imbalance.optimizers.torch_bridge import user_code
from muon_imbalance.plan.job import Job, Run
from muon_imbalance.runs import tables
from muon_imbalance.training import registry as tasks
from muon_imbalance.training.checkpoints import Checkpoints, key
from muon_imbalance.training.engine import History, Saves, train
from muon_imbalance.training.kept_runs import KeptRuns
from muon_imbalance.training.task import Task

BRIDGE = "muon_imbalance.optimizers.torch_bridge.torch_class"
"""What trains a torch class."""


def sources(job: Job) -> list[Path]:
    """Source files that this job runs: the stage's, and those of the task, model, data set and optimizer it names."""
    needs = tasks.needs(job.task)
    names = [__spec__.name]
    names += [BRIDGE] if job.own else registry.modules(job.rule)
    files = {*closure.closure(*names), *tasks.TASKS.files(job.task)}
    if needs.dataset:
        files |= {*BUILDERS.files(job.settings["dataset"]["builder"])}
    if needs.models:
        files |= {*MODELS.files(job.settings["model"]["name"])}
    return sorted(files)


def chosen(job: Job, variant: str) -> tasks.Chosen:
    """Checked settings of a variant."""
    where = f"job {job.experiment}" + (f", variant {variant}" if variant else "")
    return tasks.chosen(job.task, job.settings_of(variant), where)


def stacks(job: Job, runs: list[Run]) -> list[list[Run]]:
    """Runs that are trained together: alike for their task, of equal fixed hyperparameters, at most ``job.stack``.

    Swept whole numbers (iterations, intervals) are equal within a stack as well. A torch class trains alone, and so
    does a network on minibatches.
    """
    task = tasks.TASKS.load(job.task).TASK
    whole = () if job.own else [k for k, v in registry.defaults(job.rule).items() if tokens.is_whole(v)]
    alike: dict[tuple, list[Run]] = {}
    for run in runs:
        fixed = job.hyper_of(run.variant) | {key: run.cell[key] for key in whole if key in run.cell}
        shared = task.alike(chosen(job, run.variant))
        alike.setdefault((json.dumps(fixed, sort_keys=True), shared), []).append(run)
    size = 1 if job.own or job.epochs else job.stack
    return [group[start : start + size] for group in alike.values() for start in range(0, len(group), size)]


def make_task(job: Job, stack: list[Run], data: Path | None) -> Task:
    """The task of a stack."""
    settings = [chosen(job, run.variant) for run in stack]
    return tasks.TASKS.load(job.task).TASK(settings, job, [run.seed for run in stack], data)


def make_optimizer(job: Job, stack: list[Run], steps: int = 0):
    """The job's optimizer with one learning rate (momentum ...) per model of the stack, following its schedule over
    ``steps`` updates (0: those of the job).
    """
    steps = steps or job.steps
    fixed, first = job.hyper_of(stack[0].variant), stack[0].cell
    if job.own:
        own = importlib.import_module(BRIDGE)  # no import statement: no source of other jobs
        rate = partial(factor, job.schedule, steps=steps, warmup=job.warmup)
        return own.build(job.optimizer, job.own, fixed, first, seed=stack[0].seed, rate=rate)
    defaults = registry.defaults(job.rule)
    swept = {}
    for name in first:
        values = [tokens.value(name, run.cell[name], defaults.get(name)) for run in stack]
        whole = tokens.is_whole(defaults.get(name))
        swept[name] = values[0] if whole else torch.tensor(values, dtype=torch.float64)
    rates = {"lr": swept.pop("lr")} | {key: fixed.pop(key) for key in list(fixed) if key.endswith("_lr") and fixed[key]}

    def build(factor: float):
        scaled = {key: factor * rate for key, rate in rates.items()}
        rule = registry.build(job.rule, **scaled, **fixed, **swept)
        return InPlace(rule) if job.epochs else rule

    constant = job.schedule == "constant" and not job.warmup
    return build(1.0) if constant else Scheduled(build, job.schedule, steps, job.warmup)


def rows(job: Job, run: Run, history: History, position: int, per_epoch: int = 1) -> pyarrow.Table:
    """Tidy rows of one model, the one at ``position`` of its stack, trained with ``per_epoch`` updates an epoch."""
    records, keys = len(history.steps), len(history.keys)
    steps = np.repeat(np.asarray(history.steps, dtype=np.int64), keys)
    died = history.died[position]

    def text(values: list[str], which: np.ndarray) -> pyarrow.Array:
        return pyarrow.DictionaryArray.from_arrays(which, pyarrow.array(values)).cast(pyarrow.string())

    first, each = np.zeros(len(steps), dtype=np.int32), np.tile(np.arange(keys, dtype=np.int32), records)
    columns = {
        "experiment": text([job.experiment], first),
        "optimizer": text([job.optimizer], first),
        "phase": text([job.phase], first),
        "run": np.full(len(steps), run.index, dtype=np.int64),
        "seed": np.full(len(steps), run.seed, dtype=np.int64),
        "lr": text([run.cell["lr"]], first),
        "momentum": text([job.momentum(run)], first),
        "hyper": text([job.details(run)], first),
        "epoch": steps / per_epoch,
        "step": steps,
        **{name: text([key[i] for key in history.keys], each) for i, name in enumerate(("split", "group", "metric"))},
        "value": history.values[:, :, position].reshape(-1).astype(np.float64),
        "diverged": (died >= 0) & (steps >= died),
    }
    return pyarrow.table(columns)


def run_job(
    job: Job,
    data: Path | None,
    grid: Sequence[Path],
    checkpoints: Checkpoints,
    keep_grid: bool = True,
    kept: KeptRuns | None = None,
) -> pyarrow.Table:
    """Train what is missing and return the job's whole table.

    Args:
        grid: tables of the grid, whose rows are part of the table with ``keep_grid``.
        kept: runs that were trained before, and where those trained now are stored.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if job.device == "cuda" and not torch.cuda.is_available():
        raise UserError("device is 'cuda' but this machine offers no CUDA device; set device: cpu")
    parts = [tables.read(path) for path in grid] if keep_grid else []
    before = {run.index: kept.find(run) if kept else None for run in job.runs()}
    parts += [table for table in before.values() if table is not None]
    groups = stacks(job, [run for run in job.runs() if before[run.index] is None])
    progress = Progress(job.label, len(groups) * job.steps)
    for stack in groups:
        task = make_task(job, stack, data)
        plan = job.length(task.samples)
        progress.total = len(groups) * plan.steps
        optimizer = make_optimizer(job, stack, plan.steps)
        every = plan.per_epoch if job.checkpoint_epochs else 0
        saves = Saves(checkpoints, f"stack_{stack[0].index}", job.checkpoint_seconds, every)
        history = train(task, optimizer, plan, saves, progress)
        for position, run in enumerate(stack):
            parts.append(rows(job, run, history, position, plan.per_epoch))
            if kept:
                kept.keep(run, parts[-1])
    progress.close()
    return pyarrow.concat_tables(parts, promote_options="permissive")


def with_selection(job: Job, selection: dict) -> Job:
    """The job with the selected cell, or with each variant's own one where the experiment has variants."""
    if not job.variants:
        return replace(job, cells=[selection["hyper"]])
    return replace(job, chosen={name: selection["variants"][name]["hyper"] for name in job.variants})


def code(job: Job, files: list[Path] | None = None) -> tuple[list[Path], str]:
    """Source files that decide the result (by default looked up, half a second's work), and the version of the package
    that a torch class comes from."""
    own, version = user_code.origin(job.own["class"], job.own.get("path")) if job.own else ([], "")
    return (files or sources(job)) + own, version


def identity(job: Job, data: Path | None, files: list[Path] | None = None) -> str:
    """Key of the job's checkpoints: settings, code, data."""
    settings = {name: value for name, value in asdict(job).items() if not name.startswith("checkpoint_")}
    files, version = code(job, files)
    settings |= {"version": version} if job.own else {}
    return f"{job.phase}-{key(settings, files + ([data / 'manifest.json'] if data else []))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", required=True, help="the job as JSON (see muon_imbalance.plan.job)")
    parser.add_argument("--data", type=Path, help="dataset folder")
    parser.add_argument("--grid", type=Path, nargs="+", default=[], help="tables of the grid")
    parser.add_argument("--without-grid", action="store_true", help="leave the grid's rows to another shard's table")
    parser.add_argument("--selection", type=Path, help="selection file that names the cell of the final phase")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--kept", type=Path, help="folder of runs that were trained before")
    parser.add_argument("--output", type=Path, required=True, help="table to write (parquet)")
    parser.add_argument("--sources", type=Path, nargs="+", help="source files that key the checkpoints")
    arguments = parser.parse_args()
    start_logging()
    job = Job.parse(arguments.job)
    if arguments.selection:
        job = with_selection(job, json.loads(arguments.selection.read_text(encoding="utf-8")))
    files, version = code(job, arguments.sources)
    kept = KeptRuns(arguments.kept, job, files, arguments.data, version) if arguments.kept else None
    with Checkpoints(arguments.checkpoints, identity(job, arguments.data, arguments.sources)) as checkpoints:
        table = run_job(job, arguments.data, arguments.grid, checkpoints, not arguments.without_grid, kept)
        tables.write(arguments.output, table)
        checkpoints.clear()


if __name__ == "__main__":
    run_stage(main)
