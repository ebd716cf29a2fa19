"""Put the files of one job in their places together, or not at all."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from muon_imbalance.common.errors import UserError


@contextmanager
def workshop(folder: str | Path, stem: str) -> Iterator[Path]:
    """A hidden folder ``.<stem>.part`` inside ``folder`` that is empty at the start and gone at the end."""
    path = Path(folder, f".{stem}.part")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def check(folder: Path, names: set[str], who: str) -> None:
    """The folder must hold exactly the files ``names``, none of them empty.

    Raises:
        UserError: a file is missing, empty, or not expected.
    """
    found = {path.name for path in folder.iterdir()}
    if names - found:
        raise UserError(f"{who} did not write {', '.join(sorted(names - found))}; nothing was published")
    if found - names:
        raise UserError(
            f"{who} wrote {', '.join(sorted(found - names))} besides {', '.join(sorted(names))}; nothing was published"
        )
    empty = sorted(name for name in names if (folder / name).stat().st_size == 0)
    if empty:
        raise UserError(f"{who} wrote an empty {', '.join(empty)}; nothing was published")


def promote(moves: Mapping[Path, Path]) -> None:
    """Move files (source to target); when one cannot be moved, those moved before it are removed again."""
    staged: list[tuple[Path, Path]] = []
    done: list[Path] = []
    try:
        for source, target in moves.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.part")
            staged.append((beside, target))
            shutil.move(source, beside)
        for beside, target in staged:
            os.replace(beside, target)
            done.append(target)
    except OSError as error:
        for path in [*done, *(beside for beside, _ in staged)]:
            path.unlink(missing_ok=True)
        raise UserError(f"the files cannot be put in their places: {error}; nothing was published") from error
