"""What a notebook's source must be, and the parameters that it declares."""

import json
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.reporting.notebooks import notebook_file

from .conftest import PARAMETERS, cell

ROOT = Path(__file__).resolve().parents[2]


def problems(notebook: dict, path: str | Path) -> list[str]:
    """What keeps a notebook from being committed: outputs, counts, a kernel of its author, a bad parameters cell."""
    found = []
    try:
        notebook_file.parameters(notebook, path)
    except UserError as error:
        found.append(str(error))
    name = notebook.get("metadata", {}).get("kernelspec", {}).get("name")
    if name != notebook_file.KERNEL:
        found.append(f"notebook {path}: the kernel is {name!r}, not {notebook_file.KERNEL!r}")
    for number, one in enumerate(notebook["cells"], start=1):
        if one.get("outputs"):
            found.append(f"notebook {path}: cell {number} has outputs; clear them before committing")
        if one.get("execution_count") is not None:
            found.append(f"notebook {path}: cell {number} has an execution count; clear it before committing")
        if "papermill" in one.get("metadata", {}):
            found.append(f"notebook {path}: cell {number} was written by a run; commit the source instead")
    return found


def notebook(*cells, kernel="python3"):
    """A notebook in memory."""
    return {"nbformat": 4, "metadata": {"kernelspec": {"name": kernel}}, "cells": list(cells)}


CELL = (
    PARAMETERS
    + """
level = 0.2  # in (0, 1]: accuracy that counts
clock = "step"  # step or loss: what the curves are drawn over
rows: int = 3  # in [1, inf): how many
shown = ["muon"]  # names # with a sign in the comment
marked = True  # whether it is marked
"""
)


def test_what_can_be_set_is_declared_in_the_parameters_cell(write_notebook):
    kind = notebook_file.options(write_notebook(parameters=CELL))
    assert list(kind.model_fields) == ["level", "clock", "rows", "shown", "marked"]
    assert kind.model_fields["level"].description == "accuracy that counts"
    assert kind.model_fields["shown"].description == "names # with a sign in the comment"
    assert checked(kind, {}, "x").level == 0.2 and checked(kind, {"level": 1, "clock": "loss"}, "x").level == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"level": "abc"}, "p.level = 'abc'; allowed: a number above 0 to 1"),
        ({"level": float("nan")}, "p.level = nan; allowed"),
        ({"level": 0}, "p.level = 0; allowed"),
        ({"level": None}, "p.level = None; allowed"),
        ({"clock": "epoch"}, "p.clock = 'epoch'; allowed: step, loss"),
        ({"rows": 3.0}, "p.rows = 3.0; allowed: a whole number from 1"),
        ({"rows": 0}, "p.rows = 0; allowed"),
        ({"shown": ["muon", 3]}, "p.shown.1 = 3; allowed: a list of text"),
        ({"marked": 1}, "p.marked = 1; allowed: true or false"),
        ({"levl": 0.3}, "p: unknown key 'levl'; allowed: clock, level, marked, rows, shown"),
        ({"title": "mine"}, "p: unknown key 'title'"),
    ],
)
def test_parameters_that_are_not_allowed(write_notebook, given, message):
    with pytest.raises(UserError) as raised:
        checked(notebook_file.options(write_notebook(parameters=CELL)), given, "p")
    assert message in str(raised.value)


def test_a_parameter_says_what_it_means(write_notebook):
    with pytest.raises(UserError, match="parameter level has no comment that says what it means"):
        notebook_file.options(write_notebook(parameters=PARAMETERS + "level = 0.2\n"))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_committed_notebooks_declare_their_parameters(path):
    kind = notebook_file.options(path)
    checked(kind, {}, path.name)  # defaults that are allowed


def test_parameters_and_imports_are_read_from_the_source():
    code = cell("%matplotlib inline\nimport numpy as np\nfrom muon_imbalance.reporting.figures import figure")
    made = notebook(cell(PARAMETERS + "n: int = 3\n", tags=["parameters"]), code)
    assert notebook_file.parameters(made, "x")["n"] == 3
    assert notebook_file.imports(made, "x") == [
        "muon_imbalance.reporting.figures",
        "muon_imbalance.reporting.figures.figure",
        "numpy",
    ]
    assert problems(made, "x") == []


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([cell("a = 1")], "has 0 cells tagged 'parameters'"),
        ([cell("a = 1", tags=["parameters"])] * 2, "has 2 cells tagged 'parameters'"),
        ([cell("a = 1\nb = a + 1", tags=["parameters"])], "holds 'b = a \\+ 1'"),
        ([cell("import os", tags=["parameters"])], "holds 'import os'"),
        ([cell("a, b = 1, 2", tags=["parameters"])], "holds 'a, b = "),
        ([cell("a = (", tags=["parameters"])], "not valid Python"),
    ],
)
def test_bad_parameter_cells(cells, message):
    with pytest.raises(UserError, match=message):
        notebook_file.parameters(notebook(*cells), "x")


def test_problems_of_a_notebook_that_was_run():
    run = cell("1") | {"outputs": [{}], "execution_count": 3}
    found = problems(notebook(cell("a = 1"), run, kernel="mine"), "x")
    for part in ("0 cells tagged", "kernel is 'mine'", "cell 2 has outputs", "cell 2 has an execution count"):
        assert any(part in problem for problem in found), part


def test_unreadable_notebooks(tmp_path):
    path = tmp_path / "x.ipynb"
    with pytest.raises(UserError, match="does not exist"):
        notebook_file.read(path)
    path.write_text("not json")
    with pytest.raises(UserError, match="not valid JSON"):
        notebook_file.read(path)
    path.write_text(json.dumps({"nbformat": 3, "worksheets": []}))
    with pytest.raises(UserError, match="format 4"):
        notebook_file.read(path)
    path.write_text(json.dumps(notebook() | {"metadata": {"kernelspec": {"name": "ir", "language": "R"}}}))
    with pytest.raises(UserError, match="written in 'R'"):
        notebook_file.read(path)


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_committed_notebooks(path):
    assert problems(notebook_file.read(path), path.name) == []
