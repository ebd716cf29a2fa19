"""Formulas, tables, Markdown, the check for remote addresses, and scrubbing."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.reporting.notebooks import scrub
from muon_imbalance.reporting.site import markdown, mathml, offline, tables

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
