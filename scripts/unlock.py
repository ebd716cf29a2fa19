"""Removes the lock that a dead Snakemake run left in this folder; leaves the lock of a living run alone.

Snakemake keeps a lock in ``.snakemake/locks`` while it works and cannot remove it when it is killed. A run
lives as long as one of its processes does: Snakemake itself or a stage that it started (``python -m
muon_imbalance.<stage>``), known by their working directory. Processes of other machines that share the
folder are not seen. Exit status 1: a living run holds the lock.
"""

import os
import shutil
import sys
from pathlib import Path

import psutil


def is_run(arguments: list[str]) -> bool:
    """Is this the command line of Snakemake or of one of the pipeline's stages?

    >>> is_run([".venv/bin/python", ".venv/bin/snakemake", "--cores", "all"])
    True
    >>> is_run(["tail", "-f", ".snakemake/log/run.snakemake.log"])
    False
    """
    if any(Path(argument).name == "snakemake" for argument in arguments[:2]):
        return True
    modules = [value for flag, value in zip(arguments, arguments[1:], strict=False) if flag == "-m"]
    return any(module == "snakemake" or module.startswith("muon_imbalance.") for module in modules)


def living(root: Path) -> list[int]:
    """Process ids of the run at work in ``root`` (not this process, nor those that called it)."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.status() != psutil.STATUS_ZOMBIE and is_run(process.cmdline()):
                if Path(process.cwd()).resolve() == root:
                    found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return sorted(found)


def main(root: Path) -> int:
    locks = root / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return 0
    if pids := living(root):
        numbers = ", ".join(map(str, pids))
        print(
            f"error: a Snakemake run works in this folder (process {numbers}): wait for it or stop it",
            file=sys.stderr,
        )
        return 1
    shutil.rmtree(locks)
    print("removed the lock of a Snakemake run that is no longer alive")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
