"""The stage ``publish`` refuses what is incomplete, and leaves nothing behind."""

import json
from pathlib import Path

import nbformat
import pytest

from muon_imbalance.common.errors import UserError

from .report_sample import REPORT, make


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
        (spoil_claims(verdict="maybe"), "verdict 'maybe'; allowed: holds, fails, absent, inconclusive, not-run"),
        (spoil_claims(note="drop"), "claim 'C1.1' lacks note"),
        (spoil_claims(set_when="drop"), "claim 'C1.1' lacks set_when"),
        (spoil_claims(id="C7.7"), "fig_01 names the claim C1.1, C1.2, which claims.json does not hold"),
        (
            spoil_sidecar(lambda record: record.update(scale="smoke")),
            "made at scale 'smoke', .* for 'laptop'",
        ),
        (spoil_sidecar(lambda record: record.pop("data")), "lacks data"),
        (spoil_sidecar(lambda record: record.update(id="fig_02")), "files of fig_01 belong to fig_02"),
        (
            lambda figures: figures["fig_01"].pop("log"),
            "--figures: fig_01: key 'log' is missing",
        ),
        (lambda figures: figures["fig_01"]["files"].pop(0), "no .csv among"),
        (lambda _: Path("figures/fig_01_sample.png").write_text("<svg>"), "is not a PNG"),
        (lambda _: Path("claims.json").write_text("{"), "claims.json cannot be read"),
        (lambda _: Path("claims.json").write_text("{}"), "claims.json holds dict, not what belongs there"),
        (lambda _: Path("claims.json").write_text("[1]"), "claims.json holds 1, which is no claim"),
        (lambda _: Path("figures/fig_01_sample.json").write_text("[1"), "fig_01_sample.json cannot be read"),
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
