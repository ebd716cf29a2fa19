"""What every benchmark tells: on which machine it ran, and how far it is."""

import datetime
import os
import platform
import time
from pathlib import Path

import torch


def cpus() -> int:
    """As many as this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Progress:
    """Lines with the time since the start."""

    def __init__(self, name: str):
        self.name, self.begin = name, time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"{self.name}: {time.monotonic() - self.begin:5.0f} s  {line}", flush=True)


def words() -> dict[str, str]:
    """Date, processor, cores for this process, torch, load average (before the measurement)."""
    info, processor = Path("/proc/cpuinfo"), platform.processor() or platform.machine()
    for line in info.read_text(encoding="utf-8").splitlines() if info.is_file() else ():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    today = datetime.date.today().isoformat()
    return {"date": today, "processor": processor, "cores": str(cpus()), "torch": torch.__version__, "load": load}
