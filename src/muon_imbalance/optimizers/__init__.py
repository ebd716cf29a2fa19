"""The optimizers: ``names()`` lists them, ``build(name, **hyper)`` makes one.

Lazy: importing this package imports neither torch nor any optimizer, so listing names is quick.
"""

from importlib import import_module

__all__ = ["build", "names"]


def __getattr__(name: str):
    if name in __all__:
        return getattr(import_module(f"{__name__}.registry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
