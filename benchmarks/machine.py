"""How fast this machine is beside the one on which the budgets of the config were measured. Writes docs/machine.md.

make bench-machine                      which runs: python -m benchmarks.machine
--output FILE                           another page than docs/machine.md
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from benchmarks.about import Progress, words
from benchmarks.page import table
from benchmarks.timing import Work, interleaved, threads
from muon_imbalance.common.errors import run_stage
from muon_imbalance.models.modules import resnet, transformer

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "machine.md"
SECONDS = 8.0
"""Of measurement in each process."""
AS_IN_A_RUN = {
    "PYTHONPATH": str(ROOT / "src"),
    "MALLOC_TRIM_THRESHOLD_": "2147483648",  # as workflow/Snakefile sets them
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}

PAGE_TEXT = """# This machine and the budgets

Written by `make bench-machine`, not by hand. Measured on {date}: {processor}, {cores} cores, torch {torch}; load
average at the start {load}.

`budget_core_s` in `experiments/` is in core-seconds of the machine on which the costs were planned: two cores of
160 GFLOP/s in float32. What it took for the work below, one thread and nothing else running, was written down then. The
columns to the right are this machine, in processor time: one process alone, and one on every core, as in a run. A ratio
above 1 is how many times longer this machine takes.

{table}
A budget times the ratio for its kind of work is what to expect here: the ResNet for Figures 3, 7, 16 to 22 and 32, the
language model for Figures 8, 9, 23 and 25 to 28, the product for the multilayer perceptrons.
"""


@dataclass(frozen=True)
class Planned:
    """A piece of work and the seconds it took on the budgets' machine."""

    seconds: float
    make: Callable[[], Work]


def residual(side: int, channels: int, width: int, batch: int) -> Callable[[], Work]:
    """Forward and backward pass of the laptop scale's ResNet."""

    def make() -> Work:
        network = resnet.build(resnet.Options(width=width, blocks=[1, 1, 1]), (channels, side, side), 10)
        network = network.to(memory_format=torch.channels_last)
        images = torch.randn(batch, channels, side, side).contiguous(memory_format=torch.channels_last)
        labels = torch.randint(10, (batch,))
        return lambda: F.cross_entropy(network(images), labels).backward()

    return make


def language(vocabulary: int, context: int, width: int, batch: int) -> Callable[[], Work]:
    """Forward and backward pass of a language model of two layers."""

    def make() -> Work:
        sizes = transformer.Options(layers=2, width=width, heads=4, feed_forward=4 * width)
        model = transformer.build(sizes, (context,), vocabulary)
        tokens = torch.randint(vocabulary, (batch, context))
        return lambda: F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()

    return make


def product(side: int) -> Callable[[], Work]:
    """A square matrix product."""

    def make() -> Work:
        a, out = torch.randn(side, side), torch.empty(side, side)
        return lambda: torch.mm(a, a, out=out)

    return make


WORKS: dict[str, Planned] = {
    "ResNet w16, 14 x 14, 128 images, forward and backward": Planned(128 * 0.21e-3, residual(14, 1, 16, 128)),
    "ResNet w8, 16 x 16, 128 images, forward and backward": Planned(128 * 0.14e-3, residual(16, 3, 8, 128)),
    "language model d64, 2,048 tokens, forward and backward": Planned(26e-3, language(512, 64, 64, 32)),
    "product of matrices of side 1,024": Planned(2 * 1024**3 / 160e9, product(1024)),
}


def measured(seconds: float = SECONDS) -> dict[str, float]:
    """Processor seconds of each piece of work in this process, one thread."""
    with threads(1):
        times = interleaved({name: work.make() for name, work in WORKS.items()}, seconds)
    return {name: found.median for name, found in times.items()}


def at_once(count: int, seconds: float = SECONDS) -> dict[str, float]:
    """The same in ``count`` processes side by side; the mean over them."""
    command = [sys.executable, "-m", "benchmarks.machine", "--worker", str(seconds)]
    env = os.environ | AS_IN_A_RUN
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) for _ in range(count)]
    outputs = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("a process of the measurement failed; what it says is above")
    found = [json.loads(output) for output in outputs]
    return {name: statistics.mean(one[name] for one in found) for name in WORKS}


def page(alone: Mapping[str, float], busy: Mapping[str, float], about: Mapping[str, str]) -> str:
    """The page, from seconds by piece of work."""
    lines = [
        [
            name,
            f"{1e3 * work.seconds:.1f}",
            *[text for found in (alone, busy) for text in (f"{1e3 * found[name]:.1f}", ratio_to(work, found[name]))],
        ]
        for name, work in WORKS.items()
    ]
    head = ["work", "budgets (ms)", "one process (ms)", "ratio", "every core (ms)", "ratio"]
    return PAGE_TEXT.format(table=table(head, lines), **about)


def ratio_to(work: Planned, seconds: float) -> str:
    """How many times longer than planned."""
    return f"{seconds / work.seconds:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", metavar="FILE", type=Path, default=PAGE, help="the page to write")
    parser.add_argument("--worker", metavar="SECONDS", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measured(options.worker)))
        return
    say, about = Progress("bench-machine"), words()
    say("one process")
    alone = at_once(1)
    say(f"one process on each of {about['cores']} cores")
    busy = at_once(int(about["cores"]))
    options.output.write_text(page(alone, busy, about), encoding="utf-8")
    say(f"done: {options.output}")


if __name__ == "__main__":
    run_stage(main)
