"""Names of update rules and where each lives; a module is imported only when one of its rules is built.

A rule is a function with keyword-only hyperparameters that returns an
:class:`~muon_imbalance.optimizers.base.protocol.Optimizer`. A file of this folder offers the functions that it
decorates with :func:`~muon_imbalance.optimizers.base.hyperparameters.rule`; their signatures are read from its text.
"""

import ast
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import create_model

from muon_imbalance.common.closure import cached_by_file, parse
from muon_imbalance.common.discovery import Room, meanings
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Settings

if TYPE_CHECKING:
    from muon_imbalance.optimizers.base.protocol import Optimizer


class Rules(Room):
    """The functions of some folders that ``mark`` decorates, several in a file."""

    def offered(self, path: Path) -> list[str]:
        return list(_rules(path, self.mark))

    def function(self, name: str) -> tuple[Path, ast.FunctionDef]:
        """The file and the definition of a rule."""
        path = self.file(name)
        return path, _rules(path, self.mark)[name]


RULES = Rules("optimizer", "optimizers", mark="rule")


@cached_by_file
def _rules(path: Path, mark: str) -> dict[str, ast.FunctionDef]:
    """Name -> definition of the functions that a file decorates with ``mark``."""
    functions = (node for node in parse(path).body if isinstance(node, ast.FunctionDef))
    return {node.name: node for node in functions if mark in map(ast.unparse, node.decorator_list)}


def names() -> list[str]:
    """All names, sorted."""
    return RULES.names()


def modules(name: str) -> list[str]:
    """Modules that a job imports for this optimizer; what those import in turn is in their source.

    Raises:
        UserError: there is no such optimizer.
    """
    RULES.file(name)
    return [RULES.homes()[name]]


def defaults(name: str) -> dict[str, object]:
    """Hyperparameters of an optimizer with their defaults (nothing is imported)."""
    _, function = RULES.function(name)
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {argument.arg: ast.literal_eval(default) for argument, default in pairs}


@cache
def options(name: str) -> type[Settings]:
    """Settings of an optimizer: type, range, default and meaning of each hyperparameter (no torch is imported)."""
    path, function = RULES.function(name)
    annotations = {argument.arg: argument.annotation for argument in function.args.kwonlyargs}
    used = {node.id for one in annotations.values() for node in ast.walk(one) if isinstance(node, ast.Name)}
    space, given = meanings(path, used), defaults(name)
    fields = {key: (eval(ast.unparse(one), space), given[key]) for key, one in annotations.items()}
    return create_model(name, __base__=Settings, __doc__=ast.get_docstring(function), **fields)


@cache
def _factory(name: str) -> Callable[..., "Optimizer"]:
    (module,) = modules(name)
    return getattr(import_module(module), name)


def build(name: str, **hyper) -> "Optimizer":
    """The optimizer ``name``; lr, momentum, weight_decay, betas, eps are numbers or tensors ``[S]``, one per model.

    Building is cheap and the state belongs to the caller: a schedule builds anew with the lr of the step.

    Raises:
        UserError: unknown name or key, or a value outside its range.
    """
    try:
        return _factory(name)(**hyper)
    except UserError as error:
        raise UserError(f"optimizer {name}: {error}") from None
