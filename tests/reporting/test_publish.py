"""The stage ``publish``: one page that opens from disk and says what was found."""

import base64
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from muon_imbalance.common.errors import run_stage
from muon_imbalance.reporting.site import figure_section, offline
from muon_imbalance.stages import publish

from .report_sample import REPORT, make


def test_the_report_says_it_all(built):
    page = make(built)
    for part in ("✓", "✗", "∅", "≈", "not run", "[0.08, 0.17]", "≥ 0", "−3.2 · 10<sup>−5</sup>", "make paper"):
        assert part in page, part
    for part in (
        "<dt>Scale</dt><dd>laptop",
        "Small &amp; quick.",
        "Colored-MNIST from MNIST",
        "cell of the table",
    ):
        assert part in page, part
    assert "Muon is &lt;b&gt;better&lt;/b&gt; &amp; faster: <math" in page and "<b>" not in page
    assert "Which group, and <em>when</em>? <math" in page and "<h1>Title" not in page
    assert "Threshold: the paper's, set before a result was seen. An ordering: no more than <math" in page
    assert page.count("Threshold: ours, set after a result was seen.") == page.count('<abbr title="set after') == 1
    picture = base64.b64encode(Path("figures/fig_01_sample.png").read_bytes()).decode()
    assert f'src="data:image/png;base64,{picture}" width="8" height="4" alt="Figure 1:' in page
    assert page.index('id="claim-C1.1"') < page.index('<h2 id="fig_01">'), "the claims come first"
    assert 'id="claim-C1.1@muon_ns1" class="variant"' in page
    assert "Figures that this run does not show" in page and "No statement of the paper is judged on it." in page


def test_every_link_leads_to_a_file_or_an_anchor(built):
    make(built)
    pages = [REPORT, *REPORT.parent.glob("notebooks/*.html")]
    assert len(pages) == 3
    for path in pages:
        page = path.read_text(encoding="utf-8")
        offline.check(page, path.name)
        assert not re.search(r"(src|href)\s*=\s*.?\s*(https?:)?//", page)
        for href in re.findall(r'href="([^"]*)"', page):
            target, _, anchor = href.partition("#")
            goal = Path(os.path.normpath(path.parent / target)) if target else path
            assert goal.is_file(), (path, href)
            assert not anchor or f'id="{anchor}"' in goal.read_text(encoding="utf-8"), (path, href)
    assert "logs/fig_01.log" in REPORT.read_text() and "logs/tab_1.log" not in REPORT.read_text()


def test_notebook_pages(built):
    Path("results/laptop/report/notebooks").mkdir(parents=True)
    stale = Path("results/laptop/report/notebooks/fig_77_old.html")
    stale.write_text("old")
    make(built)
    assert not stale.exists()
    page = Path("results/laptop/report/notebooks/fig_01_sample.html").read_text(encoding="utf-8")
    assert "&lt;hello&gt;" in page and "<math" in page and "../index.html#fig_01" in page and "scale: laptop" in page


def test_the_same_again(built):
    assert make(built) == make(built)


def test_no_unescaped_names_in_attributes(built):
    record = json.loads(Path("figures/fig_01_sample.json").read_text())
    record["title"] = 'a "quoted" <title>'
    Path("figures/fig_01_sample.json").write_text(json.dumps(record))
    page = make(built)
    assert 'alt="Figure 1: a &#34;quoted&#34; &lt;title&gt;' in page


def test_mixed_environments_are_named(built):
    record = json.loads(Path("figures/tab_1_rules.json").read_text())
    record["packages"]["numpy"] = "0.1"
    Path("figures/tab_1_rules.json").write_text(json.dumps(record))
    assert "The figures were not made in one environment: numpy differ" in make(built)


def test_names():
    assert [figure_section.name(text) for text in ("fig_04", "fig_30", "fig_s1", "tab_1")] == [
        "Figure 4",
        "Figure 30",
        "Figure S1",
        "Table 1",
    ]


def test_command_line(built, monkeypatch, capsys):
    command = [
        "publish",
        "--claims",
        "claims.json",
        "--scale",
        "laptop",
        "--output",
        str(REPORT),
        "--figures",
    ]
    Path("figures.json").write_text(json.dumps(built))
    monkeypatch.setattr(sys, "argv", [*command, "@figures.json"])
    run_stage(publish.main)
    assert "make paper SCALE=laptop" in REPORT.read_text(encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [*command, "[]"])
    with pytest.raises(SystemExit) as stopped:
        run_stage(publish.main)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith("error: --figures is []; it must be a JSON dict\n")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium to look at the page")
def test_a_browser_shows_it_from_disk(built, tmp_path):
    make(built)
    picture = tmp_path / "page.png"
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
    switches += [
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=900,900",
    ]
    address = f"file://{REPORT.resolve()}"
    subprocess.run(
        ["chromium", *switches, f"--screenshot={picture}", address],
        capture_output=True,
        check=True,
        timeout=120,
    )
    pixels = zlib.decompress(b"".join(content for kind, content in chunks(picture.read_bytes()) if kind == b"IDAT"))
    assert len(set(pixels)) > 50, "an empty page has hardly any shades"


def chunks(content):
    """Chunks of a PNG file: (kind, content)."""
    position = 8
    while position < len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        yield content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        position += 12 + length
