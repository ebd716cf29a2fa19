"""Changed copies of the optimizers package under another name: spoilt, or with a further optimizer."""

import importlib
import shutil
from itertools import count
from pathlib import Path

import muon_imbalance

SOURCE = Path(muon_imbalance.__file__).parent
_number = count()


def copied(folder, monkeypatch, edits=None, files=None):
    """Function that imports modules of the copy; `edits` {file: [(old, new), ...]}, `files` {file: text}."""
    name = f"muon_copy_{next(_number)}"
    target = folder / name / "optimizers"
    shutil.copytree(SOURCE / "optimizers", target, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOURCE / "errors.py", target.parent)
    (target.parent / "__init__.py").touch()
    for file, pairs in (edits or {}).items():
        text = (target / file).read_text(encoding="utf-8")
        for old, new in pairs:
            if text.count(old) != 1:  # no assertion: the tests of mutants expect those
                raise LookupError(f"{file} must hold {old!r} once, it does {text.count(old)} times")
            text = text.replace(old, new)
        (target / file).write_text(text, encoding="utf-8")
    for file, text in (files or {}).items():
        (target / file).write_text(text, encoding="utf-8")
    for path in target.glob("*.py"):
        path.write_text(path.read_text(encoding="utf-8").replace("muon_imbalance", name), encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return lambda module: importlib.import_module(f"{name}.optimizers.{module}")
