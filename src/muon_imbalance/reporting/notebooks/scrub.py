"""Take out of an executed notebook what differs from run to run: times, durations, host paths, memory addresses."""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_TIME_OBJECT = re.compile(r"\bdatetime\.(?:datetime|time)\([^()]*\)")
_KERNEL_FILE = re.compile(r"(?:/\S*)?/ipykernel_\d+/\d+\.py")
_INJECTED = "injected-parameters"


def host_paths(root: str | Path) -> dict[str, str]:
    """Paths of this machine and what replaces them: the project's ``root`` vanishes, the others get a name."""
    paths = {str(Path(root).resolve()): ".", str(Path(root).absolute()): "."}
    for folder, name in (
        (sys.prefix, "<environment>"),
        (sys.base_prefix, "<python>"),
        (tempfile.gettempdir(), "<temporary>"),
        (os.path.expanduser("~"), "~"),
    ):
        for spelling in (folder, os.path.realpath(folder)):
            if spelling.rstrip(os.sep):
                paths.setdefault(spelling.rstrip(os.sep), name)
    return paths


def text(value: str, paths: Mapping[str, str]) -> str:
    """Scrub one piece of text; longer paths first, so that a folder inside another keeps its own name."""
    value = _KERNEL_FILE.sub("<cell>", value)
    for path in sorted(paths, key=len, reverse=True):
        whole = rf"(?<![\w.-]){re.escape(path)}(?![\w.-])"  # or the beginning of a longer path, no part of a name
        value = re.sub(whole, lambda _, name=paths[path]: name, value)
    return _ADDRESS.sub("0x…", _TIME_OBJECT.sub("<time>", _TIME.sub("<time>", value)))


def _output(output: dict, paths: Mapping[str, str]) -> None:
    """Scrub the text of one output in place; pictures stay as they are."""
    if output["output_type"] == "stream":
        output["text"] = text(output["text"], paths)
    for kind, data in output.get("data", {}).items():
        if isinstance(data, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
            output["data"][kind] = text(data, paths)


def _merge_streams(outputs: list) -> list:
    """Join neighbouring pieces of the same stream: where they are cut depends on timing."""
    merged: list = []
    for output in outputs:
        before = merged[-1] if merged else None
        if before and output["output_type"] == before["output_type"] == "stream" and output["name"] == before["name"]:
            before["text"] += output["text"]
        else:
            merged.append(output)
    return merged


def scrub(notebook: nbformat.NotebookNode, root: str | Path) -> nbformat.NotebookNode:
    """Scrub an executed notebook in place and return it: two runs of the same work give the same notebook.

    Durations stand in metadata only and go with it; code and markdown cells stay as they were written,
    except for the cell of injected parameters.
    """
    paths = host_paths(root)
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if _INJECTED in cell.metadata.get("tags", ()):
            cell["id"] = _INJECTED
            cell["source"] = text(cell["source"], paths)
        cell.setdefault("id", f"cell-{number}")
        if cell.cell_type == "code":
            cell["outputs"] = _merge_streams(cell["outputs"])
            for output in cell["outputs"]:
                _output(output, paths)
    return notebook
