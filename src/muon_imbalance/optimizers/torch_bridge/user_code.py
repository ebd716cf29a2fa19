"""Where the code of a user's torch class lies, found without importing it (the workflow looks at every start)."""

import sys
from importlib import metadata
from pathlib import Path

from muon_imbalance.common.closure import closure, module_file, parse
from muon_imbalance.common.errors import UserError


def parts(spec: str) -> tuple[str, str]:
    """Module and class of ``package.module:Class``."""
    module, _, name = spec.partition(":")
    return module, name


def folder(module: str, path: str | None) -> Path | None:
    """Folder that a module is imported from: ``path``, the current folder, then Python's; None: nowhere."""
    for place in filter(None, [path, ".", *sys.path]):
        if module_file(module, Path(place)) is not None:
            return Path(place)
    return None


def distribution(package: str, place: Path) -> str:
    """``name version`` of the installed distribution that a top-level package in ``place`` belongs to, or ""."""
    where = [str(place)]
    for known in metadata.Distribution.discover(name=package, path=where):
        return f"{known.metadata['Name']} {known.version}"
    for known in metadata.distributions(path=where):
        if any(file.parts[0] in (package, f"{package}.py") for file in known.files or ()):
            return f"{known.metadata['Name']} {known.version}"
    return ""


def origin(spec: str, path: str | None = None) -> tuple[list[Path], str]:
    """Files that a change of the class shows in, and the version of what is installed.

    Of a user's files: all that the module imports from its top-level package. Of an installed package: the named
    module, and name and version of the distribution. Of a module that is not there: no files, ``"not found"``.

    Raises:
        UserError: the syntax of one of a user's files is wrong.
    """
    module, _ = parts(spec)
    place = folder(module, path)
    if place is None:
        return [], "not found"
    package = module.partition(".")[0]
    version = distribution(package, place)
    files = [module_file(module, place)] if version else closure(module, src=place, package=package)
    return files, version


def check_syntax(name: str, spec: str, path: str | None = None) -> None:
    """Read the source of the class of optimizer ``name`` without importing it.

    Raises:
        UserError: its syntax is wrong, or it is no UTF-8; with the file and the line.
    """
    try:
        for file in origin(spec, path)[0]:
            parse(file)
    except UserError as error:
        raise UserError(f"optimizer {name}: class {spec!r} cannot be read: {error}") from None
