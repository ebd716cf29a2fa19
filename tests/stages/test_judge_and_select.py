"""The two stages as the rules call them."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.runs import frames
from muon_imbalance.stages import judge, select_cell
from tests.analysis.synthetic import CLAIMS, MIXTURE, ROOT, closed_forms, colored, population, swapped
from tests.analysis.test_selection import CURVES, RULE, VALUES, grid

KEYS = ["id", "figure", "statement", "paper_ref", "verdict", "n", "estimate", "ci_low", "ci_high"]
KEYS += ["comparator", "threshold", "data_kind", "note", "kind", "family", "variant", "unit", "scale_factor", "reason"]
KEYS += [
    "seeds_needed",
    "experiments",
    "datasets",
    "headline",
    "smallest_effect",
    "tolerance_reason",
    "set_by",
    "set_when",
]


def call(monkeypatch, stage, **options) -> None:
    """Run a stage's main with ``--key value`` for every option (True: a flag)."""
    words = [stage.__name__]
    for key, value in options.items():
        flag = [f"--{key.replace('_', '-')}"]
        words += flag if value is True else [*flag, value if isinstance(value, str) else json.dumps(value)]
    monkeypatch.setattr(sys, "argv", words)
    stage.main()


@pytest.fixture
def files(tmp_path) -> dict:
    """Arguments of a small run with two experiments."""
    frames.write(tmp_path / "colored.parquet", colored())
    frames.write(tmp_path / "population.parquet", population())
    frames.write(tmp_path / "theory.parquet", closed_forms(), columns=frames.THEORY_COLUMNS)
    (tmp_path / "manifest.json").write_text('{"kind": "real-other"}')
    return {
        "claims": str(CLAIMS),
        "runs": {
            "colored_mnist": [str(tmp_path / "colored.parquet")],
            "population_linear": [str(tmp_path / "population.parquet")],
        },
        "theory": {"population_linear": str(tmp_path / "theory.parquet")},
        "experiments": {"colored_mnist": {}, "population_linear": {"mixture": MIXTURE}},
        "manifests": {"colored_mnist": str(tmp_path / "manifest.json"), "population_linear": None},
        "scale": "laptop",
        "figures": ["fig_01", "fig_02", "fig_04"],
        "output": str(tmp_path / "out" / "claims.json"),
    }


def records(files) -> dict[str, dict]:
    with open(files["output"], encoding="utf-8") as file:
        return {record["id"]: record for record in json.load(file)}


def test_judge_writes_the_contract(monkeypatch, files):
    call(monkeypatch, judge, **files, strict=True)
    found = records(files)
    assert all(list(record) == KEYS for record in found.values())
    run = {"fig_01", "fig_02"}
    assert {record["verdict"] for record in found.values() if record["figure"] in run} == {"holds"}
    assert {record["verdict"] for record in found.values() if record["figure"] not in run} == {"not-run"}
    assert found["C4.1"]["data_kind"] is None and found["C4.1"]["estimate"] is None
    assert found["C1.1"]["data_kind"] == "real-other"
    assert found["C2.1"]["data_kind"] == "population"
    assert all(record["note"].endswith(".") for record in found.values())


def test_a_failing_claim_breaks_only_the_strict_run(monkeypatch, files, capsys):
    slow = swapped(colored(), "muon", "nmd")
    frames.write(files["runs"]["colored_mnist"][0], slow)
    call(monkeypatch, judge, **files)
    assert records(files)["C1.1"]["verdict"] == "fails"
    with pytest.raises(SystemExit) as stopped:
        call(monkeypatch, judge, **files, strict=True)
    assert stopped.value.code == 1
    assert capsys.readouterr().err.endswith("claims that fail: C1.1, C1.2, C1.3\n")


def test_audits_and_variants_do_not_break_the_strict_run(monkeypatch, files):
    frame = swapped(colored(), "muon_ns1", "nmd")
    frames.write(files["runs"]["colored_mnist"][0], frame)
    files["experiments"]["population_linear"] = {"mixture": MIXTURE | {"p": [0.6, 0.39, 0.01], "sigma2": 1.0}}
    files["runs"].pop("population_linear")
    call(monkeypatch, judge, **files, strict=True)
    found = records(files)
    assert found["A2.1"]["verdict"] == found["C1.1@muon_ns1"]["verdict"] == "fails"


def test_unknown_scales_are_only_not_run(monkeypatch, files):
    call(monkeypatch, judge, **files | {"scale": "smoke"})
    found = records(files)
    assert found["C1.1"]["verdict"] == "not-run" and found["C2.1"]["verdict"] == "holds"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"runs": "{"}, "--runs is not JSON"),
        ({"runs": [1]}, "it must be a JSON dict"),
        (
            {"manifests": {"colored_mnist": "no/such.json"}},
            "manifest no/such.json of colored_mnist cannot be read",
        ),
        ({"runs": {"colored_mnist": ["none.parquet"]}}, "table none.parquet does not exist"),
    ],
)
def test_judge_names_mistakes(monkeypatch, files, change, message):
    with pytest.raises(UserError, match=message):
        call(monkeypatch, judge, **files | change)


def test_select_cell_writes_the_contract(monkeypatch, tmp_path, caplog):
    frames.write(tmp_path / "grid.parquet", grid(CURVES))
    output = tmp_path / "selection" / "muon.json"
    options = {"grid": str(tmp_path / "grid.parquet"), "rule": RULE | {"at": "best"}, "grid_values": VALUES}
    with caplog.at_level("INFO"):
        call(monkeypatch, select_cell, **options, output=str(output))
    chosen = json.loads(output.read_text())
    assert list(chosen) == ["hyper", "rule", "split", "seeds", "score", "edge"]
    assert chosen["hyper"] == {"lr": "1e0", "momentum": "0.9"}
    assert "lr = 1e0 is on the upper border of its grid" in caplog.text


def test_a_mistake_is_one_line_and_status_2(tmp_path):
    command = [sys.executable, "-m", "muon_imbalance.stages.select_cell", "--grid", "none.parquet", "--rule", "{}"]
    result = subprocess.run(
        [*command, "--grid-values", "{}", "--output", str(tmp_path / "x.json")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert (result.returncode, result.stderr) == (2, "error: table none.parquet does not exist\n")


def test_judging_needs_no_torch():
    code = "import sys, muon_imbalance.stages.judge, muon_imbalance.stages.select_cell; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert result.stdout == "False\n", result.stderr


def test_select_cell_chooses_for_each_variant(monkeypatch, tmp_path):
    """Two variants whose best learning rates differ."""
    best = {"plain": "0.1", "weighted": "0.01"}
    parts = []
    for variant, lr in best.items():
        curves = {name: [0, 0.5, 0.9 if name == lr else 0.6] for name in CURVES}
        parts.append(grid(curves).assign(hyper=json.dumps({"variant": variant})))
    frames.write(tmp_path / "grid.parquet", pd.concat(parts, ignore_index=True))
    output = tmp_path / "chosen.json"
    call(
        monkeypatch, select_cell, grid=str(tmp_path / "grid.parquet"), rule=RULE, grid_values=VALUES, output=str(output)
    )
    chosen = json.loads(output.read_text())["variants"]
    assert {name: one["hyper"]["lr"] for name, one in chosen.items()} == best
    assert chosen["weighted"]["edge"]["lr"] == "lower" and chosen["plain"]["edge"]["lr"] is None
