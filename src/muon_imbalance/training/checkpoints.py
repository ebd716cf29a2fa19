"""Checkpoints of a training job: tensors in safetensors files, keyed by all that the result depends on.

One folder per key below ``results/<scale>/checkpoints/<experiment>/<optimizer>.<shard>/``. A folder with another key
belongs to other code, data or settings and is never read. A lock keeps two processes from training the same job.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from muon_imbalance.common.errors import UserError


def key(settings: dict, files: Iterable[Path]) -> str:
    """Hash of the settings and of the contents of all files (source and data) that decide the result."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for file in sorted(files):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


class Checkpoints:
    """Saves and restores the state of one job; use as a context manager (it holds the lock)."""

    def __init__(self, root: Path, key: str):
        self.root, self.folder = root, root / key
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(str(root / "lock"))

    def __enter__(self) -> "Checkpoints":
        try:
            self.lock.acquire(timeout=1)
        except Timeout:
            raise UserError(f"another process trains this job already (lock {self.root / 'lock'})") from None
        return self

    def __exit__(self, *_) -> None:
        self.lock.release()

    def save(self, name: str, step: int, tensors: dict[str, Tensor]) -> None:
        """Write one state, complete or not at all."""
        partial = self.folder / f"{name}.partial"
        contiguous = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
        save_file(contiguous, partial, metadata={"step": str(step)})
        os.replace(partial, self.folder / f"{name}.safetensors")

    def load(self, name: str) -> tuple[int, dict[str, Tensor]] | None:
        """``(step, tensors)`` of a state, or ``None`` if it was never saved."""
        path = self.folder / f"{name}.safetensors"
        if not path.is_file():
            return None
        with safe_open(path, framework="pt") as file:
            return int(file.metadata()["step"]), {key: file.get_tensor(key) for key in file.keys()}

    def clear(self) -> None:
        """Forget everything (the job's table is written)."""
        for folder in self.root.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
