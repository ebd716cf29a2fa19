"""Formulas, tables, Markdown, the check for remote addresses, scrubbing, and what a notebook's source must be."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.reporting.notebooks import notebook_file, scrub
from muon_imbalance.reporting.site import markdown, mathml, offline, tables

from .conftest import PARAMETERS, cell

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "tex",
    [
        r"\bar{W}_t[c,c]",
        r"\frac{\mu p_c}{\mu^2 p_c + \sigma_x^2}",
        r"(G G^\top)^{-1/2} G",
        r"\lVert G\rVert_F",
        r"\operatorname{sign}(G)",
        r"\{a, b\}",
    ],
)
def test_formulas_are_translated(tex):
    made = mathml.to_mathml(tex)
    assert made.startswith("<math") and "xmlns" not in made and "\\" not in made


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\foo{x}", r"command \\foo is not known"),
        (r"\frac{a}", "incomplete: <mfrac> has 1 of 2 parts"),
        ("x_", "cannot be turned"),
        ("{a", "braces do not match"),
        (r"\begin{aligned} a&=b\end{aligned}", "not a formula"),
    ],
)
def test_broken_formulas_are_errors(tex, message):
    with pytest.raises(UserError, match=message):
        mathml.to_mathml(tex)


def test_inline_text_is_escaped():
    made = mathml.inline(r"if $a < b$ then <script>alert(1)</script> & \$5")
    assert "<math" in made and "&lt;script&gt;" in made and "&amp; $5" in made and "<script" not in made


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (5, "5"),
        (1500.0, "1,500"),
        (0.12345, "0.123"),
        (-2, "−2"),
        (1e-5, "1 · 10^−5"),
        (-3.21e12, "−3.21 · 10^12"),
        (12345.6, "12,346"),
        (True, "True"),
    ],
)
def test_numbers(value, text):
    assert tables.number(value) == text


def test_table_survives_the_way_into_the_report():
    made = tables.fragment(pd.DataFrame({"rule": ["a<b"], "update $W_t$": [1e-7]}), r"Rules of $\eta$")
    page = tables.document(made, r"Rules of $\eta$")
    assert tables.extract(page, "x") == made.rstrip()
    assert "a&lt;b" in made and "10<sup>−7</sup>".replace("10", " · 10") in made and "<title>Rules of eta" in page
    with pytest.raises(UserError, match="x.html holds no <table>"):
        tables.extract("<p>nothing</p>", "x.html")


def test_markdown_has_formulas_and_neither_links_nor_html():
    made = markdown.to_html(
        "# One\n$\\mu$ and $$\\sigma^2$$\n\n[paper](https://arxiv.org/abs/1) https://example.org <b>raw</b> [here](#x)",
        demote=2,
    )
    assert "<h3>One</h3>" in made and made.count("<math") == 2
    assert "paper (<code>https://arxiv.org/abs/1</code>)" in made and "<code>https://example.org</code>" in made
    assert 'href="#x"' in made and made.count("href") == 1 and "&lt;b&gt;" in made
    assert markdown.without_title("# Title\nrest") == "rest" and markdown.without_title("text") == "text"


@pytest.mark.parametrize(
    "html",
    [
        '<img src="https://x.org/a.png">',
        "<a href='http://x.org'>x</a>",
        '<link href="//cdn.x.org/a.css">',
        '<img srcset="a.png 1x, https://x.org/b.png 2x">',
        '<object data="ftp://x.org/a">',
        "<script>1</script>",
        '<a href="javascript:alert(1)">x</a>',
        '<p onclick="x()">x</p>',
        "<style>@import 'https://x.org/a.css';</style>",
        "<style>p { background: url(//x.org/a.png) }</style>",
        '<p style="background: url(http://x.org/a.png)">x</p>',
        '<meta http-equiv="refresh" content="0; url=https://x.org">',
        '<img src="HTTPS://x.org/a.png"/>',
    ],
)
def test_remote_addresses_and_scripts_are_found(html):
    with pytest.raises(UserError, match="the page would not work offline"):
        offline.check(f"<body>{html}</body>", "the page")


def test_local_pages_pass_the_check():
    html = '<a href="../a/b.pdf#x">x</a><img src="data:image/png;base64,AA//BB"> text http://x.org <a href="#c">c</a>'
    assert offline.check(html, "the page") == html


def test_scrubbing(tmp_path):
    paths = scrub.host_paths(tmp_path / "project")
    text = (
        f"{tmp_path}/project/results/a.csv {tmp_path}/project2/b {sys.prefix}/lib <object at 0x7f12ab34cd56> "
        "2026-11-22 12:34:56,123 2026-11-22T12:34:56Z datetime.datetime(2026, 1, 2, 3, 4) 2026-11-22 0x10 "
        "/tmp/ipykernel_123/456.py:3: UserWarning"
    )
    made = scrub.text(text, paths)
    assert made.startswith("./results/a.csv <temporary>/") and "/project2/b" in made
    assert "<environment>/lib <object at 0x…> <time> <time> <time> 2026-11-22 0x10 <cell>:3: UserWarning" in made


def notebook(*cells, kernel="python3"):
    """A notebook in memory."""
    return {"nbformat": 4, "metadata": {"kernelspec": {"name": kernel}}, "cells": list(cells)}


def test_parameters_and_imports_are_read_from_the_source():
    code = cell("%matplotlib inline\nimport numpy as np\nfrom muon_imbalance.reporting.figures import figure")
    made = notebook(cell(PARAMETERS + "n: int = 3\n", tags=["parameters"]), code)
    assert notebook_file.parameters(made, "x")["n"] == 3
    assert notebook_file.imports(made, "x") == [
        "muon_imbalance.reporting.figures",
        "muon_imbalance.reporting.figures.figure",
        "numpy",
    ]
    assert notebook_file.problems(made, "x") == []


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
    found = notebook_file.problems(notebook(cell("a = 1"), run, kernel="mine"), "x")
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
    assert notebook_file.problems(notebook_file.read(path), path.name) == []
