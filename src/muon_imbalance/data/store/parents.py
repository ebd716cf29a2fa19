"""Parents: the data sets that another one is made of, and whether they are of the right kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from muon_imbalance.common.errors import UserError, refusal
from muon_imbalance.data.store import manifest

Roles = Mapping[str, Sequence[str | None]]


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

    def facts(self, name: str) -> dict[str, Any]:
        """What the manifest of a data set made of this one, which is called ``name``, takes from it."""
        above = self.manifest
        source = {"parent": name, "parent_sha256": above["sha256"], **above["source"]}
        return {key: above[key] for key in ("kind", "licence", "citation")} | {"source": source}


def joint_facts(opened: Mapping[str, Parent]) -> dict[str, Any]:
    """What the manifest of a data set made of several ones takes from them; its kind is the least real of theirs."""
    above = {role: parent.manifest for role, parent in opened.items()}
    return {
        "kind": max((held["kind"] for held in above.values()), key=manifest.KINDS.index),
        "source": {role: {"sha256": held["sha256"], **held["source"]} for role, held in above.items()},
        "licence": "; ".join(dict.fromkeys(held["licence"] for held in above.values())),
        "citation": " ".join(dict.fromkeys(held["citation"] for held in above.values())),
    }


def opened(owner: str, allowed: Roles, inputs: Mapping[str, Path], name: str | None = None) -> dict[str, Parent]:
    """Parents by role, in the order of ``allowed``, out of the inputs of a builder.

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
    return {role: found[role] for role in allowed if role in found}
