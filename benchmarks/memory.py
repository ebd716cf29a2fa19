"""Peak memory of the first steps of an optimizer, each in a process of its own.

    python -m benchmarks.memory NAME SET [--references DIR]

prints the bytes by which the resident memory grows at most over what it was with weights and gradients there,
divided by the bytes of the weights: state and temporary memory together.
"""

import argparse
import math
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import torch

from benchmarks import references, shapes, speed
from benchmarks.contestants import REFRESH, Make, fetched, ours, public

CLEAR = Path("/proc/self/clear_refs")
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""For glibc: what is freed goes back at once, so that no state hides in memory left over from before."""


def growth(make: Make, given: list[shapes.Shape], steps: int = 2) -> float:
    """Largest growth of this process' resident memory over the first steps, in units of the weights.

    A step on a small matrix comes first, for what libraries load at their first step (some 150 MB).
    """
    speed.step(make, [(8, 8)])()
    work = speed.step(make, given)
    if CLEAR.is_file():
        CLEAR.write_text("5")  # the peak starts anew
    before = psutil.Process().memory_info().rss
    for _ in range(steps):
        work()
    return max(0, _peak() - before) / (4 * sum(map(math.prod, given)))


def _peak() -> int:
    """Bytes: since the last reset on Linux, of the whole life of the process elsewhere."""
    if CLEAR.is_file():
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure(names: list[str], chosen: str, folder: str | None, workers: int) -> dict[str, float]:
    """Growth of each optimizer, `workers` processes at a time."""
    command = [sys.executable, "-m", "benchmarks.memory"]
    more = ["--references", folder] if folder else []

    def one(name: str) -> float:
        call = [*command, name, chosen, *more]
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=os.environ | AT_ONCE)
        return float(done.stdout.splitlines()[-1])

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("set", choices=shapes.SETS)
    parser.add_argument("--references")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = references.find(references.folder(options.references))
    steps = REFRESH if options.name in speed.SHAMPOOS else 2
    print(growth((ours() | public() | fetched(found))[options.name], shapes.SETS[options.set], steps))


if __name__ == "__main__":
    main()
