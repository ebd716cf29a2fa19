"""The stage ``solve``: the table of Fig. 2, and messages for every mistake in its config."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.stages import solve
from muon_imbalance.theory import losses, moments, trajectories
from muon_imbalance.theory.tables import curves
from tests.theory.theory_draws import FIG2, broken

MIXTURE = {"k": 3, "d": 3, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}
CONFIG = {
    "mixture": MIXTURE,
    "step": 0.01,
    "steps": 200,
    "curves": ["gd", "specgd", "gd_flow", "specgd_flow", "ngd_flow"],
}
SRC = Path(solve.__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def frame():
    return solve.table(CONFIG | {"curves": list(curves.CURVES)})


def series(frame, curve, metric, group):
    rows = frame[(frame["curve"] == curve) & (frame["metric"] == metric) & (frame["group"] == group)]
    assert rows["step"].tolist() == list(range(201))
    assert np.allclose(rows["t"], 0.01 * rows["step"])
    return rows["value"].to_numpy()


def test_columns_and_targets(frame):
    assert list(frame.columns) == ["curve", "t", "step", "group", "metric", "value"]
    assert [str(frame[name].dtype) for name in ("t", "step", "value")] == ["float64", "int64", "float64"]
    assert not frame.isna().any().any()
    assert not frame.duplicated(["curve", "step", "group", "metric"]).any()
    target = frame[frame["curve"] == "target"]
    assert target["value"].tolist() == pytest.approx([5 / 6, 3 / 4, 2 / 3])
    assert target[["step", "group", "metric"]].to_numpy().tolist() == [[0, f"class_{c}", "target"] for c in range(3)]


def test_curves_hold_alpha_and_losses(frame):
    m = moments.population_moments(FIG2)
    gd = trajectories.gd(np.arange(201), m.s_xx, m.s_yx, 0.01)
    for c in range(3):
        np.testing.assert_allclose(series(frame, "gd", "alpha", f"class_{c}"), gd[:, c], rtol=1e-13)
    for curve in curves.CURVES:
        alpha = np.stack([series(frame, curve, "alpha", f"class_{c}") for c in range(3)], axis=-1)
        assert np.all(alpha[0] == 0)
        expected = losses.by_group(losses.class_losses(alpha, FIG2), FIG2)
        assert sorted(expected) == ["all", "balanced", "class_0", "class_1", "class_2", "minority"]
        for group, values in expected.items():
            np.testing.assert_allclose(series(frame, curve, "loss", group), values, rtol=1e-13)


def test_the_claims_of_fig_2_hold_on_the_closed_forms(frame):
    def alpha(curve):
        return np.stack([series(frame, curve, "alpha", f"class_{c}") for c in range(3)], axis=-1)

    spec, gd, ngd = alpha("specgd"), alpha("gd_flow"), alpha("ngd_flow")
    assert np.abs(spec - alpha("specgd_flow")).max() < 0.01
    assert np.all(gd[1:, 0] > gd[1:, 1]) and np.all(gd[1:, 1] > gd[1:, 2])
    for group in ("minority", "balanced"):
        until = slice(1, 67)
        fast, middle, slow = (series(frame, c, "loss", group)[until] for c in ("specgd_flow", "ngd_flow", "gd_flow"))
        assert np.all(fast < middle) and np.all(middle < slow)
    assert np.abs(ngd[-1] - moments.population_moments(FIG2).r).max() == 0


def test_the_table_says_that_fig_2_is_outside_the_theorems(frame):
    for theorem in ("theorem1", "theorem2", "theorem3", "theorem4"):
        rows = frame[frame["curve"] == theorem].set_index(["metric", "group"])["value"]
        assert rows["applies", "all"] == 0
    rows = frame[frame["curve"] == "theorem1"].set_index(["metric", "group"])["value"]
    assert rows["value", "p_m <= 1/(5 SNR + 6 k)"] == 0.2
    assert rows["bound", "p_m <= 1/(5 SNR + 6 k)"] == pytest.approx(1 / 68)
    assert rows["met", "k >= 3 mu"] == 1


def test_the_losses_of_the_table_are_those_of_the_theory():
    with broken(losses, "return 0.5 * ((1 -", "return ((1 -"):
        wrong = solve.table(CONFIG)
    start = wrong[(wrong["metric"] == "loss") & (wrong["step"] == 0)]["value"]
    assert start.to_numpy() == pytest.approx(1.0), "the table does not use theory.losses"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"curve": []}, "fig: unknown key 'curve'; allowed: curves, mixture, step, steps"),
        ({"step": 0}, "fig.step = 0; allowed: a number above 0"),
        ({"step": "0.01"}, "fig.step = '0.01'"),
        ({"step": float("inf")}, "fig.step = inf"),
        ({"step": 4.0}, "fig: step = 4.0; allowed: below 2 / max"),
        ({"steps": 0}, "fig.steps = 0; allowed: a whole number from 1 to 100000"),
        ({"steps": 10.0}, "fig.steps = 10.0"),
        ({"steps": 10**9}, "fig.steps = 1000000000"),
        ({"curves": []}, "fig.curves = []"),
        ({"curves": "gd"}, "fig.curves = 'gd'"),
        ({"curves": ["gd", "sgd"]}, "fig.curves.1 = 'sgd'; allowed: a list of gd, ngd, specgd"),
        ({"curves": [["gd"]]}, "fig.curves.0 = ['gd']"),
        ({"curves": ["gd", "gd"]}, "fig.curves: gd is there more than once"),
        ({"mixture": MIXTURE | {"d": 2}}, "fig.mixture: d = 2; allowed: a whole number from k = 3"),
        ({"mixture": 3}, "fig.mixture = 3"),
        ({"table": "curve"}, "theory table 'curve' is unknown; allowed: controls, curves, joint_diagonalisation"),
    ],
)
def test_a_wrong_config_is_refused(change, message):
    with pytest.raises(UserError) as raised:
        solve.table(CONFIG | change, name="fig")
    assert message in str(raised.value) and "allowed" in str(raised.value)


def test_every_declared_curve_can_be_evaluated():
    assert get_args(curves.Curve) == tuple(curves.CURVES)


def test_a_missing_key_is_named():
    with pytest.raises(UserError, match="fig: key 'steps' is missing"):
        solve.table({key: value for key, value in CONFIG.items() if key != "steps"}, name="fig")


def test_a_large_step_is_fine_without_gd():
    assert len(solve.table(CONFIG | {"step": 4.0, "curves": ["specgd_flow"]})) > 0


def run(*arguments):
    command = [sys.executable, "-m", "muon_imbalance.stages.solve", *arguments]
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_the_command_writes_the_table(tmp_path):
    output = tmp_path / "theory" / "population_linear.parquet"
    done = run("--name", "population_linear", "--config", json.dumps(CONFIG), "--output", str(output))
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(pd.read_parquet(output), solve.table(CONFIG))
    assert [path.name for path in output.parent.iterdir()] == [output.name]


def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path):
    output = tmp_path / "t.parquet"
    done = run("--name", "fig", "--config", json.dumps(CONFIG | {"steps": -1}), "--output", str(output))
    assert done.returncode == 2
    assert done.stderr == "error: fig.steps = -1; allowed: a whole number from 1 to 100000\n"
    assert not list(tmp_path.iterdir())


def test_text_that_is_not_json_is_refused(tmp_path):
    with pytest.raises(UserError, match="fig: --config is not JSON"):
        solve.main(["--name", "fig", "--config", "{", "--output", str(tmp_path / "t.parquet")])


def test_a_failed_write_keeps_the_old_table(tmp_path, monkeypatch):
    output = tmp_path / "t.parquet"
    output.write_bytes(b"old")

    def fail(frame, path, **_):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        solve.main(["--name", "fig", "--config", json.dumps(CONFIG), "--output", str(output)])
    assert output.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_theory_starts_without_torch():
    code = "import sys; from muon_imbalance.theory.tables import controls, curves; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SRC)},
    )
    assert done.stdout == "False\n", done.stderr
