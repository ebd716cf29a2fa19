"""Changed copies of the optimizers package under another name: spoilt, or with a further optimizer."""

import importlib
import shutil
from itertools import count
from pathlib import Path

import muon_imbalance

SOURCE = Path(muon_imbalance.__file__).parent
_number = count()


def copied(folder, monkeypatch, edits=None, files=None):
    """Function that imports modules of the copy by their last names.

    ``edits``: {file: [(old, new), ...]}, ``files``: {file: text}.
    """
    name = f"muon_copy_{next(_number)}"
    target = folder / name
    for room in ("optimizers", "common"):
        shutil.copytree(SOURCE / room, target / room, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "__init__.py").touch()
    homes = {path.name: path for path in (target / "optimizers").rglob("*.py") if path.name != "__init__.py"}
    for file, pairs in (edits or {}).items():
        text = homes[file].read_text(encoding="utf-8")
        for old, new in pairs:
            if text.count(old) != 1:  # no assertion: the tests of mutants expect those
                raise LookupError(f"{file} must hold {old!r} once, it does {text.count(old)} times")
            text = text.replace(old, new)
        homes[file].write_text(text, encoding="utf-8")
    for file, text in (files or {}).items():
        (target / "optimizers" / file).write_text(text, encoding="utf-8")
    for path in target.rglob("*.py"):
        path.write_text(path.read_text(encoding="utf-8").replace("muon_imbalance", name), encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))

    def module(called):
        (path,) = (target / "optimizers").rglob(f"{called}.py")
        return importlib.import_module(".".join((name, *path.relative_to(target).with_suffix("").parts)))

    return module
