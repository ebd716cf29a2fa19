"""Parents: the data sets that another one is made of, and whether they are of the right kind."""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from muon_imbalance.common.discovery import parse
from muon_imbalance.common.errors import UserError, refusal
from muon_imbalance.data.store import manifest

Roles = Mapping[str, Sequence[str | None]]


def declared(path: Path) -> Roles:
    """``PARENTS`` of a builder's source file, read without importing it.

    Raises:
        UserError: it is no literal map of roles to tuples of builders.
    """
    for node in parse(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARENTS":
            try:
                return {str(role): tuple(builders) for role, builders in ast.literal_eval(node.value).items()}
            except (ValueError, AttributeError, TypeError):
                raise UserError(f"{path}: PARENTS must be a literal map of roles to tuples of builders") from None
    return {}


def check(owner: str, allowed: Roles, given: Mapping[str, tuple[str, str]]) -> None:
    """Refuse parents that a builder cannot use.

    Args:
        owner: the data set, or its builder, for messages.
        given: role -> (name of the data set, its builder).

    Raises:
        UserError: a role is missing or unknown, or played by a data set of another builder.
    """
    if unknown := sorted(set(given) - set(allowed)):
        raise UserError(f"{owner}: unknown parent {unknown[0]!r}; allowed: {', '.join(allowed) or 'none'}")
    for role, builders in allowed.items():
        wanted = "one built by " + " or ".join(one for one in builders if one)
        if role not in given and None not in builders:
            raise UserError(f"{owner}: no {'parent' if role == 'parent' else f'parent {role!r}'}; allowed: {wanted}")
        if role in given and given[role][1] not in builders:
            name, builder = given[role]
            raise UserError(f"{owner}: {role} = {name!r} is built by {builder}; allowed: {wanted}")


class Parent(NamedTuple):
    """Folder and manifest of a parent."""

    folder: Path
    manifest: dict[str, Any]


def opened(owner: str, allowed: Roles, inputs: Mapping[str, Path], name: str | None = None) -> dict[str, Parent]:
    """Parents by role, out of the inputs of a builder.

    Args:
        owner: the builder, for messages.
        name: of the only parent, whose role is ``parent``; left out: inputs are named by their roles.

    Raises:
        UserError: one is missing, unfinished, or made by a builder that is not among ``allowed``.
    """
    if name is not None:
        if name not in inputs:
            raise refusal(owner, "parent", name, ", ".join(sorted(inputs)) or "a data set given as an input")
        inputs = {"parent": inputs[name]}
    found = {role: Parent(folder, manifest.read(folder)) for role, folder in inputs.items()}
    check(owner, allowed, {role: (name or one.folder.name, one.manifest["builder"]) for role, one in found.items()})
    return found
