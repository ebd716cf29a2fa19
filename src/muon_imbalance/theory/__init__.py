"""Closed forms, flows, bounds and simulators of the linear models, in NumPy; parts load on first use."""

from importlib import import_module
from types import ModuleType

_MODULES = (
    "moments",
    "losses",
    "trajectories",
    "flows",
    "bounds",
    "constraints",
    "controls",
    "sweep",
    "diagonalisation",
    "newton_schulz",
    "simulate",
    "tables",
)


def __getattr__(name: str) -> ModuleType:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_MODULES)
