"""A committed notebook read from its source: what it must look like, its parameters, the modules it imports.

Nothing is run and no Jupyter package is needed.
"""

import ast
import json
import math
import re
from pathlib import Path
from typing import Literal

from pydantic import create_model

from muon_imbalance.common.closure import PACKAGE, closure, module_file
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings

KERNEL = "python3"
PARAMETERS_TAG = "parameters"
FILLED_IN = frozenset(
    {"runs", "theory", "datasets", "settings", "output_dir", "title", "data_label", "scale"}
    | {"optimizer", "measured", "groups"}  # of a report card
)
"""Parameters that the workflow and the runner fill in; the others can be set under a figure's ``parameters``."""
_RANGE = re.compile(r"in (?P<left>[\[(])(?P<low>-inf|[-+.\de]+), (?P<high>inf|[-+.\de]+)(?P<right>[\])]): ")
_WORDS = re.compile(r"(\w+(?: or \w+)+): ")


def read(path: str | Path) -> dict:
    """Load a notebook as a plain dictionary.

    Raises:
        UserError: there is no such file, it is no notebook in format 4, or its language is not Python.
    """
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"notebook {path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"notebook {path} is not valid JSON: {error}") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or "cells" not in notebook:
        raise UserError(f"notebook {path} is not a Jupyter notebook in format 4")
    metadata = notebook.get("metadata", {})
    language = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    if language not in (None, "python"):
        raise UserError(f"notebook {path} is written in {language!r}; allowed is 'python'")
    return notebook


def source(cell: dict) -> str:
    """Text of a cell (the format allows a string or a list of lines)."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def _code(cell: dict) -> ast.Module:
    """Parse a code cell; lines of shell and magic commands (``%``, ``!``) are left out."""
    lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in source(cell).splitlines())
    return ast.parse("\n".join(lines))


def _parameters_cell(notebook: dict, path: str | Path) -> tuple[str, list[ast.stmt]]:
    """Text and statements of the one cell tagged ``parameters``.

    Raises:
        UserError: there is not exactly one, or it is no Python.
    """
    tagged = [cell for cell in notebook["cells"] if PARAMETERS_TAG in cell.get("metadata", {}).get("tags", ())]
    if len(tagged) != 1:
        raise UserError(f"notebook {path} has {len(tagged)} cells tagged 'parameters'; exactly one is needed")
    try:
        return source(tagged[0]), _code(tagged[0]).body
    except SyntaxError as error:
        raise UserError(f"notebook {path}: the parameters cell is not valid Python: {error}") from None


def parameters(notebook: dict, path: str | Path) -> dict[str, object]:
    """Names and default values in the one cell tagged ``parameters``.

    Raises:
        UserError: there is not exactly one such cell, or it holds anything but ``name = literal`` (a value derived
            there would go stale when the runner sets the names it was derived from).
    """
    found: dict[str, object] = {}
    for statement in _parameters_cell(notebook, path)[1]:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        try:
            if len(targets) != 1 or not isinstance(targets[0], ast.Name):
                raise ValueError
            found[targets[0].id] = ast.literal_eval(statement.value)
        except (ValueError, TypeError, AttributeError):
            raise UserError(
                f"notebook {path}: the parameters cell holds {ast.unparse(statement)!r}; "
                "allowed is only name = literal, derive values in the next cell"
            ) from None
    return found


def options(path: str | Path) -> type[Settings]:
    """The parameters of a notebook that the configuration can set, as declared in its parameters cell::

        level = 0.2  # in (0, 1): accuracy from which on a group counts as learned
        clock = "step"  # step or loss: what the curves are drawn over

    The type is that of the default, the comment says what is allowed (if it begins so) and what the parameter means.
    :data:`FILLED_IN` are left out. Nothing is run.

    Raises:
        UserError: no such notebook, a bad parameters cell, or a parameter without a comment.
    """
    notebook = read(path)
    fields = {}
    for name, value in parameters(notebook, path).items():
        if name in FILLED_IN:
            continue
        comment = re.search(rf"^{name}\b.*?#\s*(.+)$", _parameters_cell(notebook, path)[0], re.MULTILINE)
        if comment is None:
            raise UserError(f"notebook {path}: parameter {name} has no comment that says what it means")
        fields[name] = _field(value, comment.group(1))
    return create_model("Parameters", __base__=Settings, __doc__=f"Parameters of {Path(path).name}.", **fields)


def _field(value: object, comment: str) -> tuple[object, object]:
    """Annotation and :class:`Field` of a parameter."""
    kind = list[type(value[0])] if isinstance(value, list) and value else type(value)
    if limits := _RANGE.match(comment):
        low, high = (float(limits[part]) for part in ("low", "high"))
        bounds = {"ge" if limits["left"] == "[" else "gt": low, "le" if limits["right"] == "]" else "lt": high}
        bounds = {key: limit for key, limit in bounds.items() if math.isfinite(limit)}
        return kind, Field(value, description=comment[limits.end() :], **bounds)
    if (words := _WORDS.match(comment)) and isinstance(value, str):
        return Literal[tuple(words[1].split(" or "))], Field(value, description=comment[words.end() :])
    return kind, Field(value, description=comment)


def imports(notebook: dict, path: str | Path) -> list[str]:
    """Dotted names that the notebook's code imports, sorted; ``from a import b`` gives ``a`` and ``a.b``."""
    names: set[str] = set()
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        try:
            tree = _code(cell)
        except SyntaxError as error:
            raise UserError(f"notebook {path}: a code cell is not valid Python: {error}") from None
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return sorted(names)


def source_files(notebook: dict, path: str | Path) -> list[Path]:
    """Files of the package that rendering a notebook runs: the stage and what the notebook's code imports."""
    own = [name for name in imports(notebook, path) if name.startswith(f"{PACKAGE}.")]
    return closure(f"{PACKAGE}.stages.render", *(name for name in own if module_file(name)))
