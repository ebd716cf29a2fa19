"""Files written whole or not at all, and small files read with care."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` that takes its place when the block ends, and is removed when it fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(handle)
    work = Path(name)
    try:
        yield work
        mask = os.umask(0)
        os.umask(mask)
        work.chmod(0o666 & ~mask)  # mkstemp's files are for their owner alone
        os.replace(work, path)
    finally:
        work.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A new, empty folder that takes the place of ``folder`` when the block ends, and is removed when it fails.

    What killed processes left behind is removed first. The new folder's parent is for intermediate files.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    marker = f".{folder.name}.partial-"
    for leftover in folder.parent.glob(f"{marker}*"):
        shutil.rmtree(leftover)
    work = Path(tempfile.mkdtemp(prefix=marker, dir=folder.parent))
    try:
        (work / "new").mkdir()
        yield work / "new"
        if folder.is_dir():
            os.replace(folder, work / "old")
        os.replace(work / "new", folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with replacing(path) as work:
        work.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any, **layout: Any) -> None:
    """Write JSON, indented by two unless ``layout`` says otherwise; NaN is refused."""
    write_text(path, json.dumps(content, **({"indent": 2, "allow_nan": False} | layout)) + "\n")


def read_json(path: Path, kinds: type | tuple[type, ...] = dict, hint: str = "delete it and run again") -> Any:
    """What a JSON file holds.

    Raises:
        UserError: it is missing, damaged, or holds another kind of value; ``hint`` says what to do.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): {hint}") from error
    if not isinstance(content, kinds):
        raise UserError(f"{path} holds {type(content).__name__}, not what belongs there: {hint}")
    return content
