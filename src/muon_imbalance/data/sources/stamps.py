"""Stamps: small JSON files that say which files of a source were fetched, and their hashes."""

import os
from collections.abc import Mapping
from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json, write_json
from muon_imbalance.data import sources
from muon_imbalance.data.sources.digest import content_sha256, file_sha256


def _hash(source: sources.Source, path: Path) -> str:
    """A user's file may be compressed, so there the content counts."""
    return content_sha256(path) if source.ecosystem == "folder" else file_sha256(path)


def write(stamp: Path, source: sources.Source, paths: Mapping[str, Path]) -> None:
    """Record role -> path and sha256; paths below the working directory are written relative to the stamp."""
    stamp = Path(stamp)
    members = {role: {"path": _recorded(path, stamp), "sha256": _hash(source, path)} for role, path in paths.items()}
    write_json(stamp, {"source": source.name, "members": members})


def _recorded(path: Path, stamp: Path) -> str:
    path = Path(path).resolve()
    inside = path.is_relative_to(Path.cwd().resolve())
    return Path(os.path.relpath(path, stamp.parent.resolve())).as_posix() if inside else str(path)


def read(stamp: Path) -> dict[str, Path]:
    """Files by role, each hashed again.

    Raises:
        UserError: not a stamp, a file is gone (a cleared cache), or its content changed since.
    """
    stamp = Path(stamp)
    content = read_json(stamp)
    try:
        source = sources.get(content["source"])
        members = {role: (stamp.parent / m["path"], m["sha256"]) for role, m in content["members"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{stamp} is not a readable download stamp ({error}); delete it and run again") from error
    for role, (path, sha256) in members.items():
        if not path.is_file():
            raise UserError(f"{path} ({role} of {source.name}) is gone; delete {stamp} and run again to fetch it")
        if (found := _hash(source, path)) != sha256:
            raise UserError(f"{path}: sha256 is {found}, expected {sha256}; delete {stamp} and run again")
    return {role: path for role, (path, _) in members.items()}
