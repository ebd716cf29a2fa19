"""Stage: time and memory of one optimizer's step on one experiment's model, a single model on one core.

Adam of this package is timed in turn with it in the same process; the ratio is what can be compared between machines.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from muon_imbalance.common.errors import run_stage
from muon_imbalance.common.files import write_json
from muon_imbalance.common.progress import start_logging
from muon_imbalance.optimizers import registry
from muon_imbalance.plan.job import Job
from muon_imbalance.stages.train import make_optimizer, make_task

WARM_UP, STEPS = 10, 40


def tensor_bytes(node: object) -> int:
    """Memory of all tensors in nested dicts, lists and tuples."""
    if isinstance(node, Tensor):
        return node.nbytes
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return sum(map(tensor_bytes, children))


def timed(work: Callable, *arguments: object) -> tuple[float, Any]:
    """CPU seconds of a call, and its result."""
    begin = time.process_time()
    result = work(*arguments)
    return time.process_time() - begin, result


def measure(job: Job, data: Path | None) -> dict:
    """``step_seconds, gradient_seconds, ratio`` (to Adam's step), ``state_ratio`` (bytes per byte of weights)."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    (run, *_) = job.runs()
    task = make_task(job, [run], data)
    optimizer, adam = make_optimizer(job, [run]), registry.build("adam", lr=1e-3)
    params = task.init()
    other = {name: value.clone() for name, value in params.items()}
    state, adam_state = optimizer.init(params), adam.init(other)
    spent = {"gradient": 0.0, "step": 0.0, "adam": 0.0}
    for count in range(WARM_UP + STEPS):
        seconds = {}
        seconds["gradient"], (_, grads, _) = timed(task.gradients, params, False)
        grads = {name: torch.nan_to_num(grad) for name, grad in grads.items()}
        copies = {name: grad.clone() for name, grad in grads.items()}
        for who in ("step", "adam") if count % 2 else ("adam", "step"):  # each as often first, on a warm cache
            if who == "step":
                seconds[who], (params, state) = timed(optimizer.step, params, grads, state)
            else:
                seconds[who], (other, adam_state) = timed(adam.step, other, copies, adam_state)
        if count >= WARM_UP:
            spent = {name: spent[name] + value for name, value in seconds.items()}
    return {
        "experiment": job.experiment,
        "optimizer": job.optimizer,
        "hyper": run.cell,
        "parameters": sum(value.numel() for value in params.values()),
        "step_seconds": spent["step"] / STEPS,
        "gradient_seconds": spent["gradient"] / STEPS,
        "ratio": spent["step"] / spent["adam"],
        "state_ratio": tensor_bytes([state, optimizer.state_inside()]) / tensor_bytes(params),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", required=True, help="the job as JSON (see muon_imbalance.plan.job)")
    parser.add_argument("--data", type=Path, help="dataset folder")
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    start_logging()
    write_json(arguments.output, measure(Job.parse(arguments.job), arguments.data))


if __name__ == "__main__":
    run_stage(main)
