"""Names of optimizers and where each lives; a module is imported only when one of its optimizers is built.

An optimizer is a factory, a function with keyword-only hyperparameters that returns a `core.Optimizer`. A
file of this package offers its factories by one line, `OPTIMIZERS = ("name", ...)`, read here from the
source text.
"""

import ast
import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from muon_imbalance.common.errors import UserError

if TYPE_CHECKING:
    from muon_imbalance.optimizers.base.protocol import Optimizer

HERE = Path(__file__).parent
PACKAGE = "muon_imbalance.optimizers"


@cache
def _homes() -> dict[str, str]:
    """Optimizer name -> dotted module that offers it, without importing any of the modules."""
    homes: dict[str, str] = {}
    for path in sorted(HERE.glob("*.py")):
        for name in _offered(path.read_text(encoding="utf-8")):
            if name in homes:
                raise ValueError(f"optimizer {name} is offered by {homes[name]} and by {path.name}")
            homes[name] = f"{PACKAGE}.{path.stem}"
    return homes


def _offered(source: str) -> tuple[str, ...]:
    """The value of the line `OPTIMIZERS = (...)` of a module, () if there is none."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OPTIMIZERS":
            return ast.literal_eval(node.value)
    return ()


def names() -> list[str]:
    """All optimizer names, sorted."""
    return sorted(_homes())


def modules(name: str) -> list[str]:
    """Modules that a job imports for this optimizer; what those import in turn is in their source."""
    if name not in _homes():
        raise UserError(f"unknown optimizer {name!r}; allowed: {', '.join(names())}")
    return [_homes()[name]]


def _factory(name: str) -> Callable[..., "Optimizer"]:
    (module,) = modules(name)
    return getattr(import_module(module), name)


def defaults(name: str) -> dict[str, object]:
    """Hyperparameters and options of an optimizer with their defaults, from the source text (nothing is imported)."""
    (module,) = modules(name)
    tree = ast.parse((HERE / f"{module.rpartition('.')[2]}.py").read_text(encoding="utf-8"))
    (factory,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    pairs = zip(factory.args.kwonlyargs, factory.args.kw_defaults, strict=True)
    return {argument.arg: ast.literal_eval(default) for argument, default in pairs}


def hyperparameters(name: str) -> dict[str, object]:
    """Hyperparameters and options of an optimizer with their defaults (imports the optimizer's module)."""
    return {key: p.default for key, p in inspect.signature(_factory(name)).parameters.items()}


def build(name: str, **hyper) -> "Optimizer":
    """The optimizer `name`; lr, momentum, weight_decay, betas, eps are numbers or tensors [S], one per model.

    Building is cheap and the state belongs to the caller: a schedule builds anew with the lr of the step.
    Raises UserError for an unknown name or key and for a value outside its range.
    """
    factory, allowed = _factory(name), hyperparameters(name)
    for key, value in hyper.items():
        if key not in allowed:
            known = ", ".join(allowed)
            raise UserError(f"optimizer {name}: unknown hyperparameter {key} = {value!r}; allowed: {known}")
    try:
        return factory(**hyper)
    except UserError as error:
        raise UserError(f"optimizer {name}: {error}") from None
