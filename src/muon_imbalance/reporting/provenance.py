"""Where a figure comes from: the json file beside it."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.reporting.notebooks import notebook_file

KEYS = (
    "id", "title", "scale", "command", "notebook", "data", "experiments", "seeds", "code_sha256", "git_commit",
    "packages", "claims",
)  # fmt: skip
"""Keys of a sidecar, in this order."""
STAND_INS = {"real-other", "composed"}
"""Kinds of data that must be named in the title of what they show."""
NO_DATA = "none, computed from formulas"
_PACKAGES = (
    "matplotlib", "numpy", "pandas", "papermill", "pyarrow", "scipy", "seaborn", "snakemake", "torch", "torchvision",
)  # fmt: skip
_ROOT = Path(__file__).resolve().parents[3]


ORIGINS = ("paper", "source", "chosen")


class Spec(Settings):
    """What a rule passes of a figure, table or card."""

    title: str = Field(description="heading")
    scale: str = Field(description="scale of the run")
    command: str = Field(description="what makes it again")
    experiments: list[str] = Field(description="whose runs it shows")
    seeds: dict[str, Any] | list[int] = Field(description="seeds, or their number, by experiment")
    claims: list[str] = Field(description="ids of the claims it is about")
    data: list[str] = Field(description="manifests of its data sets")
    origins: dict[str, Literal[ORIGINS]] = Field({}, description="whose its settings are, where that is said")


def read_manifests(paths: Sequence[str | Path]) -> list[dict]:
    """``name, kind, sha256, label`` of each data set, from its ``manifest.json``.

    Raises:
        UserError: a manifest does not exist or lacks a key.
    """
    found = []
    for path in paths:
        manifest, keys = read_json(path, hint="build the data set again"), ("name", "kind", "sha256", "label")
        if missing := [key for key in keys if key not in manifest]:
            raise UserError(f"data manifest {path} lacks {', '.join(missing)}: build the data set again")
        found.append({key: manifest[key] for key in keys})
    return found


def data_label(data: Sequence[Mapping]) -> str:
    """What a figure's footer says of its data: the labels, each once."""
    return "; ".join(dict.fromkeys(str(entry["label"]) for entry in data)) or NO_DATA


def full_title(title: str, data: Sequence[Mapping]) -> str:
    """The title; where a stand-in takes the place of the paper's data, its label is part of the title, unless the
    title names stand-ins already, in brackets at its end.
    """
    if title.endswith("]"):
        return title
    stand_ins = dict.fromkeys(str(entry["label"]) for entry in data if entry["kind"] in STAND_INS)
    return f"{title} [{'; '.join(stand_ins)}]" if stand_ins else title


def project_path(path: str | Path) -> str:
    """A path as the record names it: relative to the current folder (the project's root) when it lies
    inside.
    """
    path = Path(os.path.abspath(path))
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else path.as_posix()


def code_sha256(files: Iterable[str | Path]) -> str:
    """One hash over the names and contents of source files, in whatever order they are given.

    Raises:
        UserError: a file does not exist.
    """
    total = hashlib.sha256()
    for path in sorted({project_path(file) for file in files}):
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise UserError(f"source file {path} cannot be read: {error.strerror}") from None
        total.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def git_commit() -> str | None:
    """Commit of the working tree, with ``+changes`` when tracked files differ from it; None outside of
    git.
    """
    top = _git("rev-parse", "--show-toplevel")
    commit = _git("rev-parse", "--verify", "HEAD") if top and Path(top).resolve() == _ROOT else None
    if not commit:
        return None
    return commit + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def packages() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, as installed where this runs."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def sidecar(identifier: str, notebook: str | Path, spec: Spec, data: Sequence[Mapping]) -> dict:
    """The record written beside a figure, with the keys :data:`KEYS` (``data``: of :func:`read_manifests`).

    ``code_sha256`` covers the notebook and the files of the package that rendering it runs.
    """
    files = notebook_file.source_files(notebook_file.read(notebook), notebook)
    found = spec.model_dump() | {
        "id": identifier,
        "title": full_title(spec.title, data),
        "notebook": project_path(notebook),
        "data": list(data),
        "code_sha256": code_sha256([*files, notebook]),
        "git_commit": git_commit(),
        "packages": packages(),
    }
    return {key: found[key] for key in KEYS} | ({"origins": spec.origins} if spec.origins else {})
