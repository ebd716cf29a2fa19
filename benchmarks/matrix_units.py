"""Matrix units for bfloat16 (Intel's AMX): Muon's step times with them, measured in a process of their own.

    python -m benchmarks.matrix_units SET SECONDS [--references DIR]

prints the seconds of each round as JSON. Everything else is measured without these units, as on a processor that has
none, since the bounds are for the vector units that all have.
"""

import argparse
import json
import os
import subprocess
import sys

import torch

from benchmarks import references, shapes, speed
from benchmarks.contestants import fetched, ours, public
from benchmarks.timing import Times, threads

VARIABLE, WITHOUT = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16"
"""Which instructions oneDNN may use, and the most it has without matrix units."""


def leave_out() -> bool:
    """Keep this process and those it starts from using them; whether there are any and the user had not decided.

    Before the first product in half precision: oneDNN reads the variable then, and only then.
    """
    if VARIABLE in os.environ or not torch.cpu.get_capabilities().get("amx_bf16", False):
        return False
    os.environ[VARIABLE] = WITHOUT
    return True


def times(chosen: str, seconds: float, folder: str | None) -> dict[str, Times]:
    """Step times of every Muon on one set of shapes, one thread, with the units."""
    call = [sys.executable, "-m", "benchmarks.matrix_units", chosen, str(seconds)]
    call += ["--references", folder] if folder else []
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return {name: Times(tuple(rounds)) for name, rounds in json.loads(done.stdout.splitlines()[-1]).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=shapes.SETS)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--references")
    options = parser.parse_args()
    contestants = ours() | public() | fetched(references.find(references.folder(options.references)))
    if speed.slow_half():
        del contestants[speed.FLOAT16]
    with threads(1):
        found = speed.steps(contestants, speed.MUONS, shapes.SETS[options.set], options.seconds)
    print(json.dumps({name: each.rounds for name, each in found.items()}))


if __name__ == "__main__":
    main()
