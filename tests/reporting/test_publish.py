"""The stage ``publish``: one page that opens from disk, says what was found, and refuses what is incomplete."""

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

import nbformat
import pytest

from muon_imbalance import publish
from muon_imbalance.errors import UserError, run_stage
from muon_imbalance.reporting import offline, provenance, site

REPORT = Path("results/laptop/report/index.html")


def png(width=8, height=4):
    """A small valid PNG."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + b"\x80" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def claim(identifier, verdict="holds", **changes):
    """A record of claims.json."""
    values = {
        "n": 5,
        "estimate": 0.123,
        "ci_low": 0.08,
        "ci_high": 0.17,
        "comparator": ">=",
        "threshold": 0.0,
    }
    record = {
        "id": identifier,
        "figure": "fig_01",
        "statement": "Muon is <b>better</b> & faster: $r_c < \\eta t$.",
        "paper_ref": "Fig. 1",
        "verdict": verdict,
        **values,
        "data_kind": "real",
        "note": "muon minus nmd",
    }
    return record | changes


@pytest.fixture
def built(project, spec):
    """A project with one figure and one table, rendered; returns what ``--figures`` says of them."""
    figures = {}
    for identifier, stem in (("fig_01", "fig_01_sample"), ("tab_1", "tab_1_rules")):
        cells = [
            nbformat.v4.new_markdown_cell("# Title\n\nWhich group, and *when*? $\\mu^2$"),
            nbformat.v4.new_code_cell(
                "print('<hello>')",
                outputs=[nbformat.v4.new_output("stream", text="<hello>")],
                execution_count=1,
            ),
        ]
        executed = Path(f"results/laptop/notebooks/{stem}.ipynb")
        executed.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), executed)
        Path("figures").mkdir(exist_ok=True)
        files = {suffix: Path(f"figures/{stem}.{suffix}") for suffix in ("csv", "json")}
        files["csv"].write_text("a\n1\n")
        own = {"claims": ["C1.1", "C1.2"]} if identifier == "fig_01" else {"data": [], "claims": []}
        described = spec | own
        data = provenance.read_manifests(described["data"])
        files["json"].write_text(json.dumps(provenance.sidecar(identifier, executed, described, data)))
        if identifier == "tab_1":
            files["html"] = Path(f"figures/{stem}.html")
            files["html"].write_text("<html><body><table><tr><td>cell of the table</td></tr></table></body></html>")
        else:
            for suffix, content in (("png", png()), ("pdf", b"%PDF")):
                files[suffix] = Path(f"figures/{stem}.{suffix}")
                files[suffix].write_bytes(content)
        log = Path(f"logs/{identifier}.log")
        figures[identifier] = {
            "files": [str(path) for path in files.values()],
            "executed": str(executed),
            "log": str(log),
        }
    Path("logs").mkdir()
    Path("logs/fig_01.log").write_text("done")
    records = [
        claim("C1.1"),
        claim("C1.1@muon_ns1", "inconclusive"),
        claim("C1.2", "fails", estimate=-3.2e-5),
        claim("C9.1", "not-run", figure="fig_09", n=0, estimate=None, ci_low=None, ci_high=None),
    ]
    Path("claims.json").write_text(json.dumps(records))
    return figures


def make(figures, **changes):
    """Publish and return the report's text."""
    settings = {"scale": "laptop", "command": "make paper", "scale_note": "Small & quick."} | changes
    publish.publish(Path("claims.json"), figures, REPORT, **settings)
    return REPORT.read_text(encoding="utf-8")


def test_the_report_says_it_all(built):
    page = make(built)
    for part in ("✓", "✗", "≈", "not run", "[0.08, 0.17]", "≥ 0", "−3.2 · 10<sup>−5</sup>", "make paper"):
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


@pytest.mark.parametrize("name", ["fig_01_sample.png", "fig_01_sample.json", "fig_01_sample.pdf", "tab_1_rules.html"])
def test_missing_figure_file(built, name):
    Path("figures", name).unlink()
    with pytest.raises(UserError, match=f"figures/{name} does not exist; render the figure first"):
        make(built)
    assert not REPORT.exists() and not REPORT.parent.exists()


def test_missing_notebook(built):
    Path(built["fig_01"]["executed"]).unlink()
    with pytest.raises(UserError, match="fig_01_sample.ipynb does not exist; render the figure first"):
        make(built)


def spoil_sidecar(change):
    """A function that changes the figure's sidecar."""

    def spoil(_):
        path = Path("figures/fig_01_sample.json")
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    return spoil


def spoil_claims(**changes):
    """A function that replaces the first claim."""

    def spoil(_):
        records = json.loads(Path("claims.json").read_text())
        records[0] = {key: value for key, value in (records[0] | changes).items() if value != "drop"}
        Path("claims.json").write_text(json.dumps(records))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_claims(verdict="maybe"), "verdict 'maybe'; allowed: holds, fails, inconclusive, not-run"),
        (spoil_claims(note="drop"), "claim 'C1.1' lacks note"),
        (spoil_claims(id="C7.7"), "fig_01 names the claim C1.1, C1.2, which claims.json does not hold"),
        (
            spoil_sidecar(lambda record: record.update(scale="smoke")),
            "made at scale 'smoke', .* for 'laptop'",
        ),
        (spoil_sidecar(lambda record: record.pop("data")), "lacks data"),
        (spoil_sidecar(lambda record: record.update(id="fig_02")), "files of fig_01 belong to fig_02"),
        (
            lambda figures: figures["fig_01"].pop("log"),
            "fig_01 has .* needed are the keys executed, files, log",
        ),
        (lambda figures: figures["fig_01"]["files"].pop(0), "no .csv among"),
        (lambda _: Path("figures/fig_01_sample.png").write_text("<svg>"), "is not a PNG"),
        (lambda _: Path("claims.json").write_text("{"), "claims.json cannot be read"),
    ],
)
def test_what_does_not_fit_is_refused(built, spoil, message):
    if message.startswith("fig_01 names"):
        Path("claims.json").write_text(json.dumps([json.loads(Path("claims.json").read_text())[0]]))
    spoil(built)
    with pytest.raises(UserError, match=message):
        make(built)
    assert not REPORT.exists()


def test_remote_content_of_a_notebook_is_refused(built):
    path = built["fig_01"]["executed"]
    made = nbformat.read(path, as_version=4)
    data = {"text/html": '<img src="https://example.org/x.png">'}
    made.cells[1].outputs = [nbformat.v4.new_output("display_data", data=data)]
    nbformat.write(made, path)
    with pytest.raises(UserError, match="page of .*fig_01_sample.ipynb would not work offline.*example.org"):
        make(built)
    assert not REPORT.exists()


def test_mixed_environments_are_told(built):
    record = json.loads(Path("figures/tab_1_rules.json").read_text())
    record["packages"]["numpy"] = "0.1"
    Path("figures/tab_1_rules.json").write_text(json.dumps(record))
    assert "The figures were not made in one environment: numpy differ" in make(built)


def test_names():
    assert [site.name(text) for text in ("fig_04", "fig_30", "fig_s1", "tab_1")] == [
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
    assert capsys.readouterr().err.endswith("error: --figures: a JSON object is needed, not list\n")


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
