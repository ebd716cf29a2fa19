"""Public implementations that are no package of the lock: found where the user has them, never fetched.

A checkout of KellerJordan/Muon (its muon.py) and one of facebookresearch/optimizers (its distributed_shampoo/)
are taken from the folder of `--references`, or of the variable OPTIMIZER_REFERENCES, or one folder below it;
without either, from the import path.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from muon_imbalance.common.errors import UserError

VARIABLE = "OPTIMIZER_REFERENCES"
KNOWN = {
    "muon": ("SingleDeviceMuon", "KellerJordan/Muon"),
    "distributed_shampoo": ("DistributedShampoo", "facebookresearch/optimizers"),
}
"""Module -> the class by which it is recognised, and the repository it is from."""


def folder(option: str | None) -> Path | None:
    """The folder given by the option or the variable; raise UserError if it does not exist."""
    name = option or os.environ.get(VARIABLE)
    if not name:
        return None
    if not Path(name).is_dir():
        raise UserError(f"--references (or {VARIABLE}) = {name!r}, allowed: an existing folder")
    return Path(name).resolve()


def find(given: Path | None) -> dict[str, ModuleType | None]:
    """Each known module, or None where it is not available."""
    return {module: _module(module, given, cls) for module, (cls, _) in KNOWN.items()}


def _module(name: str, given: Path | None, cls: str) -> ModuleType | None:
    places = [given, *sorted(path for path in given.iterdir() if path.is_dir())] if given else []
    for place in places:
        if (place / f"{name}.py").is_file() or (place / name / "__init__.py").is_file():
            sys.path.insert(0, str(place))
            break
    if importlib.util.find_spec(name) is None:
        return None
    module = importlib.import_module(name)
    return module if hasattr(module, cls) else None
