"""`muon-imbalance`: what it prints and how it refuses."""

import json
from pathlib import Path

import pytest

from muon_imbalance import cli, optimizers

ROOT = Path(__file__).parents[2]
RECORD = {
    "id": "C2.1",
    "figure": "fig_02",
    "statement": "SpecGD learns every component at the same rate.",
    "verdict": "holds",
    "n": 5,
    "estimate": 0.01234,
    "ci_low": 0.01,
    "ci_high": 0.015,
    "data_kind": "generated",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project folder, entered."""
    (tmp_path / "workflow").mkdir()
    (tmp_path / "experiments").mkdir()
    scales = "scales:\n  smoke: {figures_dir: results/smoke/figures}\n"
    (tmp_path / "config.yaml").write_text(f"scale: laptop\nfigures_dir: figures\n{scales}")
    (tmp_path / "experiments" / "linear.yaml").write_text("figures:\n  fig_02: {title: Linear model, slug: x}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    assert stop.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ") and text.count("\n") == 1
    return text


def claims(project, records) -> None:
    path = project / "results" / "laptop" / "claims.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(records if isinstance(records, str) else json.dumps(records))


def test_optimizers(project, capsys):
    cli.main(["optimizers"])
    assert capsys.readouterr().out.split() == list(optimizers.names())


def test_figures_from_a_folder_below(project, capsys, monkeypatch):
    below = project / "workflow"
    monkeypatch.chdir(below)
    cli.main(["figures"])
    assert capsys.readouterr().out == "fig_02  Linear model\n"


def test_claims_table(project, capsys):
    unjudged = {
        "id": "C1.1",
        "verdict": "not-run",
        "statement": "Muon is first.",
        "n": None,
        "estimate": None,
    }
    claims(project, [RECORD, unjudged])
    cli.main(["claims"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == "claim figure verdict n estimate interval data statement".split()
    assert lines[1].split()[:7] == ["C2.1", "fig_02", "holds", "5", "0.0123", "[0.01,", "0.015]"]
    assert any(line.split()[:6] == ["C1.1", "-", "not-run", "-", "-", "-"] for line in lines)
    assert lines[-1] == "scale laptop: 1 holds, 0 fails, 0 absent, 0 inconclusive, 1 not-run"


def test_where_follows_the_scale_and_the_cache_variable(project, capsys, monkeypatch):
    monkeypatch.setenv("MUON_IMBALANCE_CACHE", str(project / "downloads"))
    (project / "results" / "smoke" / "figures").mkdir(parents=True)
    cli.main(["where", "--scale", "smoke"])
    paths = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert paths["figures"].endswith(str(project / "results/smoke/figures")) and "(not yet)" not in paths["figures"]
    assert paths["report"].endswith("results/smoke/report/index.html") and "(not yet)" in paths["report"]
    assert paths["cache"].endswith("downloads")


def test_claims_before_the_first_run(project, capsys):
    assert "run `make paper SCALE=laptop` first" in refused(capsys, "claims")


def test_broken_claims_file(project, capsys):
    claims(project, "[")
    assert "not valid JSON" in refused(capsys, "claims")


def test_config_without_figures(project, capsys):
    (project / "experiments" / "linear.yaml").unlink()
    assert "holds no figures" in refused(capsys, "figures")


@pytest.mark.parametrize("text, why", [("a: [", "not valid YAML"), ("- a\n", "a map of keys")])
def test_broken_config(project, capsys, text, why):
    (project / "config.yaml").write_text(text)
    assert why in refused(capsys, "figures")


def test_outside_of_the_project(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "elsewhere" / "cli.py"))
    assert "not inside the project" in refused(capsys, "figures")


def test_unknown_scale(project, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["claims", "--scale", "bogus"])
    assert stop.value.code == 2
    assert "smoke" in capsys.readouterr().err


def test_a_job_is_described(capsys, monkeypatch):
    monkeypatch.chdir(ROOT / "docs")
    cli.main(["job", "../results/smoke/runs/colored_mnist/muon.0.parquet"])
    said = capsys.readouterr().out
    assert said.startswith("results/smoke/runs/colored_mnist/muon.0.parquet: stage train, scale smoke\n")
    lines = {line.split()[0]: line for line in said.splitlines() if line}
    assert "[32, 32]" in lines["model.hidden"] and "0.95" in lines["dataset.correlation"]
    assert " -m muon_imbalance.stages.train --job '{" in lines["PYTHONPATH=src"]
    assert said.rstrip().endswith("--force results/smoke/runs/colored_mnist/muon.0.parquet --config scale=smoke")


def test_a_file_of_no_job(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert "README.md is no file of a job; allowed: " in refused(capsys, "job", "README.md")
