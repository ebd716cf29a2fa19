"""Import closures: which of the project's files a job runs.

Snakemake's code trigger does not see imported modules, so every rule lists the closure of what it runs as inputs.
The closure is read from the source text (nothing is imported): every ``import`` statement anywhere in a file counts,
and every ``everything("folder")``, which imports the modules of a folder.
Modules that a registry loads by name are passed as further roots by the caller.
"""

import ast
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError

PACKAGE = "muon_imbalance"
SRC = Path(__file__).resolve().parents[2]


def module_file(module: str, src: Path = SRC) -> Path | None:
    """File of a dotted module of this package below ``src`` (``None`` if there is none)."""
    base = src.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def cached_by_file(function: Callable) -> Callable:
    """Keep what a function finds in a file, its first argument, until the file changes."""

    @cache
    def kept(stamp: int, path: Path, *rest: Any) -> Any:
        return function(path, *rest)

    return wraps(function)(lambda path, *rest: kept(path.stat().st_mtime_ns, path, *rest))


@cached_by_file
def parse(path: Path) -> ast.Module:
    """Syntax tree of a source file (not to be changed).

    Raises:
        UserError: its syntax is wrong, or it is no UTF-8.
    """
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None


@cached_by_file
def imported(file: Path, src: Path = SRC, package: str = PACKAGE) -> tuple[str, ...]:
    """Dotted names of ``package`` that one file imports."""
    names: set[str] = set()
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = node.module or ""
            if node.level and file.is_relative_to(src):
                above = file.relative_to(src).parent.parts
                prefix = ".".join((*above[: len(above) - node.level + 1], *filter(None, [prefix])))
            names.add(prefix)
            names.update(f"{prefix}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "everything":
            names.update(".".join((package, *one.value.split("/"), "*")) for one in node.args)
    return tuple(sorted(name for name in names if name == package or name.startswith(package + ".")))


def closure(*modules: str, src: Path = SRC, package: str = PACKAGE) -> list[Path]:
    """All files of ``package`` that importing ``modules`` can run, packages' ``__init__`` included, sorted.

    Raises:
        ModuleNotFoundError: a root module has no file.
        UserError: the syntax of a file is wrong.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    for module in modules:
        if module_file(module, src) is None:
            raise ModuleNotFoundError(f"no module {module!r} below {src.name}/")
    while waiting:
        module = waiting.pop()
        if module.endswith(".*"):  # all modules of a folder (discovery.everything)
            folder = src.joinpath(*module.split(".")[:-1])
            waiting.extend(".".join(path.relative_to(src).with_suffix("").parts) for path in folder.glob("*.py"))
            continue
        if module in found or (file := module_file(module, src)) is None:
            continue
        found[module] = file
        parts = module.split(".")
        waiting.extend(".".join(parts[:end]) for end in range(1, len(parts)))
        waiting.extend(imported(file, src, package))
    return sorted(set(found.values()))
