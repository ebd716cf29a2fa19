"""Stage: time and memory of one optimizer's step on one experiment's model, a single model on one core.

Adam of this package is timed in turn with it in the same process; the ratio is what can be compared between machines.
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from muon_imbalance.common.errors import run_stage
from muon_imbalance.common.files import write_json
from muon_imbalance.common.progress import start_logging
from muon_imbalance.optimizers import registry
from muon_imbalance.optimizers.base.protocol import Optimizer
from muon_imbalance.plan.job import Job
from muon_imbalance.stages.train import make_optimizer, make_task

WARM_UP, STEPS = 10, 40


def tensors(node: object) -> list[Tensor]:
    """All tensors in nested dicts, lists and tuples."""
    if isinstance(node, Tensor):
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return [found for child in children for found in tensors(child)]


def state_bytes(optimizer: Optimizer, state: dict) -> int:
    """Memory of an optimizer's state, wherever it lies."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors([state, optimizer.state_inside()]))


def timed(work) -> tuple[float, object]:
    """CPU seconds of a call, and its result."""
    begin = time.process_time()
    result = work()
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
        seconds["gradient"], (_, grads, _) = timed(lambda at=params: task.gradients(at, False))
        grads = {name: torch.nan_to_num(grad) for name, grad in grads.items()}
        copies = {name: grad.clone() for name, grad in grads.items()}
        for who in ("step", "adam") if count % 2 else ("adam", "step"):  # each as often first, on a warm cache
            if who == "step":
                seconds[who], (params, state) = timed(lambda p=params, g=grads, s=state: optimizer.step(p, g, s))
            else:
                seconds[who], (other, adam_state) = timed(lambda p=other, g=copies, s=adam_state: adam.step(p, g, s))
        if count >= WARM_UP:
            spent = {name: spent[name] + value for name, value in seconds.items()}
    weights = sum(value.numel() * value.element_size() for value in params.values())
    return {
        "experiment": job.experiment,
        "optimizer": job.optimizer,
        "hyper": run.cell,
        "parameters": sum(value.numel() for value in params.values()),
        "step_seconds": spent["step"] / STEPS,
        "gradient_seconds": spent["gradient"] / STEPS,
        "ratio": spent["step"] / spent["adam"],
        "state_ratio": state_bytes(optimizer, state) / weights,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", required=True, help="the job as JSON (see muon_imbalance.plan.job)")
    parser.add_argument("--data", type=Path, help="dataset folder")
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    start_logging()
    found = measure(Job.parse(arguments.job), arguments.data)
    write_json(arguments.output, found)


if __name__ == "__main__":
    run_stage(main)
