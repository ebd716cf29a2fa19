"""The files that a builder was given, compared with those that their source records."""

from collections.abc import Mapping
from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources import Source
from muon_imbalance.data.sources.digest import mismatch


def files(source: Source, given: Mapping[str, Path], verify: bool = True) -> tuple[dict[str, Path], bool]:
    """The source's files by role, and whether all have the recorded content.

    ``verify: false`` accepts other content of a folder of the user only.

    Raises:
        UserError: one is missing, or has other content.
    """
    if missing := sorted(set(source.members) - set(given)):
        raise UserError(f"{source.dataset}: source {source.name} gave no file for {', '.join(missing)}")
    folder = source.ecosystem == "folder"
    for role, (_, digest) in source.members.items():
        if wrong := mismatch(given[role], digest, content=folder):
            if verify or not folder:
                raise UserError(f"{source.dataset}: {given[role]}: {wrong} (source {source.name})")
            return {role: Path(given[role]) for role in source.members}, False
    return {role: Path(given[role]) for role in source.members}, True
