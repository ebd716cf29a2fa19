"""A project with one figure and one table rendered, ready to be published."""

import json
import struct
import zlib
from pathlib import Path

import nbformat

from muon_imbalance.reporting import provenance
from muon_imbalance.stages import publish

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
        "kind": "control" if identifier.startswith("A") else "paper",
        "family": "sample",
        "variant": identifier.partition("@")[2],
        "unit": "points",
        "scale_factor": 100.0,
        "reason": None,
        "seeds_needed": None,
        "experiments": ["sample"],
        "datasets": [],
        "headline": False,
        "smallest_effect": 0.01,
        "tolerance_reason": "An ordering: no more than $\\eta t$.",
        "set_by": "paper",
        "set_when": "before",
    }
    return record | changes


def rendered(spec):
    """One figure and one table in the current folder; returns what ``--figures`` says of them."""
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
        record = provenance.sidecar(identifier, executed, provenance.Spec(**described), data)
        files["json"].write_text(json.dumps(record))
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
        claim("A1.2", "absent", set_by="project", set_when="after"),
        claim("C9.1", "not-run", figure="fig_09", n=0, estimate=None, ci_low=None, ci_high=None),
    ]
    Path("claims.json").write_text(json.dumps(records))
    return figures


def make(figures, **changes):
    """Publish and return the report's text."""
    settings = {"scale": "laptop", "command": "make paper", "scale_note": "Small & quick."} | changes
    publish.publish(Path("claims.json"), figures, REPORT, **settings)
    return REPORT.read_text(encoding="utf-8")
