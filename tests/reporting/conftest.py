"""Small notebooks and records for the tests of reporting."""

import json
from pathlib import Path

import pytest

from .report_sample import rendered

PARAMETERS = 'output_dir = ""\nruns = []\ntheory = []\ntitle = ""\ndata_label = ""\nscale = ""\n'
PLOT = """\
import numpy as np
import pandas as pd
from muon_imbalance.reporting.figures import figure, style

fig, axes = figure.subplots(1, 2)
rows = []
for name in ("nmd", "signum", "muon"):
    steps = np.arange(0, 50)
    mean = 1 - np.exp(-steps * 0.02 * (1 + len(name)))
    style.band(axes[0, 0], steps, mean, 0.05 + 0 * mean, name)
    rows += [{"optimizer": name, "step": s, "value": v} for s, v in zip(steps, mean)]
figure.legend(fig, axes)
style.heading(fig, title)
style.footer(fig, data_label, scale)
figure.save(fig, output_dir, "fig_01_sample", pd.DataFrame(rows))
"""


def cell(source: str, kind: str = "code", **metadata) -> dict:
    """One cell of a notebook without outputs."""
    made = {"cell_type": kind, "metadata": metadata, "source": source, "id": f"c{abs(hash(source)) % 10**8}"}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


@pytest.fixture
def write_notebook(tmp_path):
    """Function that writes ``fig_01_sample.ipynb`` (or another name) with the given code cells."""

    def write(*code: str, name="fig_01_sample.ipynb", parameters=PARAMETERS, kernel="python3", language="python"):
        intro = "# Sample figure\n\nMinority accuracy, $\\bar W_t[c,c] \\le r_c$, see `Sec. 3` <b>here</b>."
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": kernel, "display_name": kernel, "language": language}},
            "cells": [cell(intro, "markdown"), cell(parameters, tags=["parameters"]), *map(cell, code)],
        }
        path = tmp_path / "notebooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return write


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project folder, which is the current folder, with one data manifest."""
    monkeypatch.chdir(tmp_path)
    manifest = {
        "name": "colored_mnist",
        "kind": "real",
        "sha256": "ab" * 32,
        "label": "Colored-MNIST from MNIST",
    }
    Path("manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return tmp_path


@pytest.fixture
def spec():
    """Provenance specification as a rule passes it."""
    return {
        "title": "Muon learns the minority group earlier",
        "scale": "laptop",
        "command": ".venv/bin/snakemake --cores all fig_01",
        "experiments": ["colored_mnist"],
        "seeds": [0, 1, 2],
        "claims": ["C1.1"],
        "data": ["manifest.json"],
    }


@pytest.fixture
def built(project, spec):
    """A project with one figure and one table, rendered; what ``--figures`` says of them."""
    return rendered(spec)
