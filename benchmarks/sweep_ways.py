"""Ways to train the runs of a sweep, and how long each takes per model and update.

`sweep`: the training stage's own code in worker processes of one thread, each with its share of the cells, in stacks.
`loop`: one run after another with `torch.optim` in one thread. `processes`: the training stage once for every run.
"""

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from benchmarks.sweep_models import Plan, batch, job, loop
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.checkpoints import Checkpoints

Say = Callable[[str], None]


@dataclass(frozen=True)
class Cost:
    """Seconds per model and update: on the clock, and of the processors' time (divided by the number of workers)."""

    wall: float
    cpu: float


def shares(whole: Job, workers: int) -> list[Job]:
    """The job's cells dealt out to workers."""
    return [replace(whole, cells=part) for i in range(workers) if (part := whole.cells[i::workers])]


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread and no denormal numbers inside, as in the training stage."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)


def work(given: tuple[Job, Path]) -> tuple[float, dict[tuple[str, int], float]]:
    """Train a share here; processor seconds, and the final loss by learning rate and seed."""
    share, data = given
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        with Checkpoints(Path(folder), "key") as checkpoints:
            frame = train.run_job(share, data, [], checkpoints).to_pandas()
        spent = time.process_time() - begin
    last = frame[(frame["step"] == share.steps) & (frame["metric"] == "loss")]
    runs = zip(last["lr"], last["seed"].astype(int), last["value"].astype(float), strict=True)
    return spent, {(lr, seed): loss for lr, seed, loss in runs}


class Workers:
    """Processes that train shares of a sweep; their start is not timed."""

    def __init__(self, count: int):
        self.count = count
        self.pool = multiprocessing.get_context("spawn").Pool(count)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_) -> None:
        self.pool.terminate()
        self.pool.join()

    def sweep(self, whole: Job, data: Path) -> tuple[Cost, dict[tuple[str, int], float]]:
        """Train the whole job; its cost and the final losses."""
        begin = time.perf_counter()
        done = self.pool.map(work, [(share, data) for share in shares(whole, self.count)], chunksize=1)
        wall = time.perf_counter() - begin
        losses = {run: loss for _, found in done for run, loss in found.items()}
        updates = len(losses) * whole.steps
        return Cost(wall / updates, sum(spent for spent, _ in done) / self.count / updates), losses


def timed_loop(given: Job, data: Path, batches) -> Cost:
    """The job as a loop in this process."""
    begin, spent = time.perf_counter(), time.process_time()
    count = len(list(loop(given, data, batches)))
    updates = count * given.steps
    return Cost((time.perf_counter() - begin) / updates, (time.process_time() - spent) / updates)


def against_loop(plan: Plan, data: Path, model: str, rule: str, workers: Workers) -> list[tuple[Cost, Cost]]:
    """(loop, sweep) of each round, the order alternating; a first round of few updates is not counted."""
    seeds = list(range(plan.seeds))
    whole = job(plan, model, rule, plan.rates(plan.lrs), seeds, plan.steps)
    alone = job(plan, model, rule, plan.rates(1), [seeds[i % len(seeds)] for i in range(plan.loop_models)], plan.steps)
    batches = {seed: batch(data, seed, getattr(torch, plan.dtype)) for seed in seeds}
    rounds = []
    with one_thread():
        timed_loop(replace(alone, steps=2), data, batches)
        workers.sweep(replace(whole, steps=2, cells=whole.cells[: plan.workers]), data)
        for turn in range(plan.rounds):
            if turn % 2:
                swept, _ = workers.sweep(whole, data)
                looped = timed_loop(alone, data, batches)
            else:
                looped = timed_loop(alone, data, batches)
                swept, _ = workers.sweep(whole, data)
            rounds.append((looped, swept))
    return rounds


def stage(jobs: list[Job], data: Path) -> Cost:
    """`python -m muon_imbalance.stages.train` for every job, all at once, start included."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(train.__file__).parents[2])}
        sources, running = [str(path) for path in train.sources(jobs[0])], []
        before, begin = os.times(), time.perf_counter()
        for number, given in enumerate(jobs):
            call = [sys.executable, "-m", "muon_imbalance.stages.train", "--job", json.dumps(asdict(given))]
            call += ["--data", str(data), "--checkpoints", f"{folder}/{number}"]
            call += ["--output", f"{folder}/{number}.parquet", "--sources", *sources]
            running.append(subprocess.Popen(call, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        failed = [process.communicate()[1] for process in running]
        wall, after = time.perf_counter() - begin, os.times()
        if any(process.returncode for process in running):
            raise RuntimeError(b"\n".join(failed).decode())
    updates = sum(len(given.runs()) * given.steps for given in jobs)
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(wall / updates, spent / len(jobs) / updates)


def against_processes(plan: Plan, data: Path, model: str, rule: str) -> list[tuple[Cost, Cost]]:
    """(one process per run, sweep) of each round; as many processes at once in both, each pays its start."""
    seeds = list(range(plan.seeds))
    whole = job(plan, model, rule, plan.rates(plan.run_lrs[model]), seeds, plan.run_steps)
    single = [replace(whole, cells=[cell], seeds=[0], stack=1) for cell in whole.cells[: plan.workers]]
    return [(stage(single, data), stage(shares(whole, plan.workers), data)) for _ in range(plan.run_rounds)]


def ratio(rounds: list[tuple[Cost, Cost]], clock: str) -> float:
    """How many times the throughput of the first way the second one has: median over the rounds."""
    return statistics.median(getattr(first, clock) / getattr(second, clock) for first, second in rounds)
