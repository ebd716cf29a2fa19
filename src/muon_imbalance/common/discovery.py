"""A folder is a registry: a module that lies in it and declares what the folder asks for is found by its name.

One mechanism for builders, models, tasks, tables and statistics. Listing and checking read the source text, so torch is
not imported; a module is imported when it is used. A module of the user's own is named by its path (``own/moons.py``)
or, if it is installed, by its dotted name (``my_package.moons``).
"""

import ast
import builtins
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from muon_imbalance.common.closure import PACKAGE, SRC, cached_by_file, closure, imported, module_file, parse
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Settings

USERS = "users_"  # a file outside the package is imported under this prefix


def everything(folder: str) -> list[ModuleType]:
    """Import all modules of a folder below the package, such as ``analysis/statistics``.

    :func:`muon_imbalance.common.closure.closure` knows this call and follows it into the folder.
    """
    found = sorted(path.stem for path in (SRC / PACKAGE / folder).glob("*.py") if path.stem != "__init__")
    return [importlib.import_module(".".join((PACKAGE, *folder.split("/"), name))) for name in found]


class Room:
    """The modules of some folders that define ``mark`` at their top level.

    Args:
        noun: what one of them is called in messages, such as ``data set builder``.
        folders: below the package, such as ``data/digits``.
        mark: name of the class or function that makes a module part of the room.
    """

    def __init__(self, noun: str, *folders: str, mark: str = "Options"):
        self.noun, self.folders, self.mark = noun, folders, mark
        self._seen: list[int] = []
        self._homes: dict[str, str] = {}

    def homes(self) -> dict[str, str]:
        """Name -> dotted module, sorted by name; looked up again when files are added to a folder, or leave it."""
        folders = [SRC / PACKAGE / folder for folder in self.folders]
        if self._seen != (stamps := [folder.stat().st_mtime_ns for folder in folders]):
            found: dict[str, str] = {}
            for path in (path for folder in folders for path in sorted(folder.glob("*.py"))):
                home = ".".join(path.relative_to(SRC).with_suffix("").parts)
                for name in self.offered(path):
                    if name in found:
                        raise ValueError(f"two {self.noun}s are named {name}: in {found[name]} and {home}")
                    found[name] = home
            self._seen, self._homes = stamps, dict(sorted(found.items()))
        return self._homes

    def offered(self, path: Path) -> list[str]:
        """Names of what a file of the room offers: the file's own, if it defines the mark."""
        return [path.stem] if self.mark in _definitions(path) else []

    def names(self) -> list[str]:
        """Names of all modules of the room."""
        return list(self.homes())

    def file(self, name: str) -> Path:
        """Source file of a module.

        Raises:
            UserError: there is none of this name.
        """
        homes = self.homes()
        if name in homes:
            return module_file(homes[name])
        path = _users_file(name)
        if path is None:
            hint = " (nor is it a file or an installed module)" if name.endswith(".py") or "." in name else ""
            raise UserError(f"{self.noun} {name!r} is unknown{hint}; allowed: {', '.join(homes)}")
        if self.mark not in _definitions(path):
            raise UserError(f"{self.noun} {name!r}: {path} defines no {self.mark} at its top level")
        return path

    def files(self, name: str) -> list[Path]:
        """Source files that importing a module can run; of an installed package only the named module."""
        path = self.file(name)
        if home := self.homes().get(name):
            return closure(home)
        return sorted({path, *closure(*filter(module_file, imported(path)))})

    def load(self, name: str) -> ModuleType:
        """The module, imported.

        Raises:
            UserError: unknown, or a module of the user's own cannot be imported.
        """
        homes, path = self.homes(), self.file(name)
        if name in homes:
            return importlib.import_module(homes[name])
        try:
            if not name.endswith(".py"):
                return importlib.import_module(name)
            unique = f"{USERS}{path.stem}"
            if unique not in sys.modules or sys.modules[unique].__file__ != str(path):
                spec = importlib.util.spec_from_file_location(unique, path)
                sys.modules[unique] = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(sys.modules[unique])
            return sys.modules[unique]
        except Exception as error:
            sys.modules.pop(f"{USERS}{path.stem}", None)
            raise UserError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error

    def options(self, name: str) -> type[Settings]:
        """The settings class of a module, read from its source text."""
        return declared(self.file(name), "Options")

    def constant(self, name: str, key: str, default: Any = None) -> Any:
        """A constant of a module's top level, read from its source text; ``default`` where it has none."""
        path = self.file(name)
        return declared(path, key) if key in _definitions(path) else default


@cached_by_file
def _definitions(path: Path) -> frozenset[str]:
    """Names that classes, functions and assignments define at the top level."""
    return frozenset(name for node in parse(path).body for name in _defined(node))


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _users_file(name: str) -> Path | None:
    """File of a module outside the package: a path, or the dotted name of an installed module (not imported)."""
    if name.endswith(".py"):
        return Path(name).resolve() if Path(name).is_file() else None
    for place in (".", *sys.path) if "." in name else ():
        if (found := module_file(name, Path(place or "."))) is not None:
            return found
    return None


@cached_by_file
def declared(path: Path, name: str) -> Any:
    """A settings class (or a constant) of a source file, made without running the rest of the file.

    Only what the class needs is run: the statements of the file's top level that define or import the names it uses,
    and those that they use.

    Raises:
        UserError: the file has no such class, or the class cannot be made.
    """
    if name not in _definitions(path):
        raise UserError(f"{path} defines no {name}")
    return meanings(path, [name])[name]


def meanings(path: Path, names: Iterable[str]) -> dict[str, Any]:
    """What names mean at the top level of a source file, found by running the statements that they need, and no others.

    Raises:
        UserError: these statements fail.
    """
    tree, waiting = parse(path), list(names)
    makers: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            makers |= {(alias.asname or alias.name).partition(".")[0]: node for alias in node.names}
        makers |= dict.fromkeys(_defined(node), node)
    needed = set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node in needed:
            continue
        needed.add(node)
        waiting += [one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not hasattr(builtins, one.id)]
    space = {"__name__": f"{__name__}.{path.stem}", "__file__": str(path)}
    code = ast.Module([node for node in tree.body if node in needed], [])
    try:
        exec(compile(code, str(path), "exec"), space)
    except UserError:
        raise
    except Exception as error:
        made = ", ".join(names)
        raise UserError(f"{path}: {made} cannot be made: {type(error).__name__}: {error}") from error
    return space
