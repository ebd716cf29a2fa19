"""A statistic is found by lying in the folder, curves and windows mean what they say, and mistakes are named."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from muon_imbalance.analysis.statistics import curves, protocol, windows
from muon_imbalance.analysis.statistics.evidence import Experiment, Recorded, Run
from muon_imbalance.common.closure import closure
from muon_imbalance.common.errors import UserError

from .synthetic import ROOT, measured

FOLDER = ROOT / "src/muon_imbalance/analysis/statistics"


def run(**values) -> Run:
    """A run with curves ``<group>`` of accuracy on test, a record at each of these steps."""
    steps = np.array([0, 10, 20, 40, 60])
    rows = {Recorded("accuracy", "test", group): (steps, np.array(v, float)) for group, v in values.items()}
    return Run(Experiment("some"), "muon", 0, 0.1, rows)


def test_a_file_in_the_folder_is_a_statistic(tmp_path):
    """In a copy of the package: found, judged by and part of the closure, without any list being changed."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src/muon_imbalance/analysis/statistics/medians.py").write_text(
        "import numpy as np\n"
        "from muon_imbalance.analysis.statistics.curves import CurveOption\n"
        "from muon_imbalance.analysis.statistics.evidence import Run\n"
        "from muon_imbalance.analysis.statistics.protocol import Measured, statistic\n\n\n"
        "@statistic('run')\n"
        "def median(run: Run, *, of: CurveOption) -> Measured:\n"
        '    """Median of a curve."""\n'
        "    return Measured(float(np.median(of.of(run)[1])))\n"
    )
    code = (
        "from muon_imbalance.analysis.statistics import protocol\n"
        "from muon_imbalance.common.closure import closure\n"
        "print('median' in protocol.statistics(), 'of' in protocol.named('median').Options.model_fields,\n"
        "      any(path.name == 'medians.py' for path in closure('muon_imbalance.stages.judge')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(tmp_path / "src"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.split() == ["True", "True", "True"]


def test_judging_depends_on_every_statistic_and_training_on_none():
    files = {path for path in closure("muon_imbalance.stages.judge") if path.parent == FOLDER}
    assert files == set(FOLDER.glob("*.py"))
    assert not [path for path in closure("muon_imbalance.stages.train") if "analysis" in path.parts]
    known = closure("muon_imbalance.analysis.statistics.protocol")
    assert not [path for path in known if "claims" in path.parts or "training" in path.parts]


def test_one_name_is_one_statistic():
    with pytest.raises(ValueError, match="two statistics are named area"):
        protocol.statistic("run")(protocol.named("area").function)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("all", [0, 10, 20, 40, 60]),
        ("after start", [10, 20, 40, 60]),
        ("early", [10, 20]),
        ("late", [40, 60]),
        ("until 1/3", [10, 20]),
        ("after 1/3", [40, 60]),
        ("after 1/6 until 2/3", [20, 40]),
        ("until 1", [10, 20, 40, 60]),
        ("steps 0 to 20", [0, 10, 20]),
        ("start", [0]),
        ("end", [60]),
    ],
)
def test_windows(text, steps):
    one = run(all=range(5))
    recorded = one.curve(Recorded("accuracy", "test"))[0]
    assert recorded[windows.parse(text).shows(one, recorded)].tolist() == steps


def test_a_window_until_saturation_ends_with_the_first_component():
    """Targets r_c = p / (p + 0.1): the smallest is 2/3, reached at t = (2/3) / 0.1 = 6.7."""
    mixture = {"k": 3, "d": 3, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}
    one = Run(Experiment("some", settings={"mixture": mixture}), "gd", 0, 0.1, {})
    inside = windows.parse("until saturation").shows(one, np.arange(10))
    assert np.flatnonzero(inside).tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("text", ["", "noon", "after", "until 0", "until 2", "after 1", "steps 5", "steps 9 to 3", 0.5])
def test_what_is_no_window(text):
    with pytest.raises(ValueError, match="is not a window; allowed: all, after start, early, late, until X"):
        windows.parse(text)


def test_a_window_without_records_has_no_value():
    with pytest.raises(protocol.NoValue, match="no record lies in the window 'until 1/10'"):
        measured("area", run(all=range(5)), of="accuracy on test", window="until 1/10")


def test_curves_are_made_of_recorded_ones():
    one = run(all=[4, 2, 8, 6, 2], minority=[0, 1, 2, 3, 4])
    accuracy, minority = "accuracy on test", "accuracy of minority on test"
    for of, values in (
        (accuracy, [4, 2, 8, 6, 2]),
        ({"of": accuracy, "relative_to": "first"}, [1, 0.5, 2, 1.5, 0.5]),
        ({"of": accuracy, "relative_to": "largest"}, [0.5, 0.25, 1, 0.75, 0.25]),
        ({"of": accuracy, "relative_to": "last"}, [2, 1, 4, 3, 1]),
        ({"difference": [minority, accuracy]}, [-4, -1, -6, -3, 2]),
        ({"distance": [minority, accuracy]}, [4, 1, 6, 3, 2]),
    ):
        assert curves.parse(of).of(one)[1].tolist() == values
    with pytest.raises(protocol.NoValue, match=r"accuracy \(test, minority\) is 0"):
        curves.parse({"of": minority, "relative_to": "first"}).of(one)
    with pytest.raises(UserError, match=r"muon on some has no loss \(train, all\); recorded are accuracy"):
        curves.parse("loss on train").of(one)


@pytest.mark.parametrize(
    "given",
    ["accuracy", "accuracy on", "accuracy of on test", "accuracy of minority on Mars", 3, None, {}, {"of": "a on test"},
     {"of": "a on test", "relative_to": "middle"}, {"difference": ["a on test"]}, {"distance": "a on test"},
     {"selected": 3}],
)  # fmt: skip
def test_what_is_no_curve(given):
    with pytest.raises(ValueError, match="is not a curve; allowed: <metric> of <group> on <split>"):
        curves.parse(given)


def test_times_after_and_over_those_of_another_curve():
    one = run(majority=[0, 0.9, 1, 1, 1], minority=[0.5, 0.5, 0, 0.2, 0.4])
    options = {"of": "accuracy of minority on test", "level": 0.2, "gate": "accuracy of majority on test >= 0.95"}
    other = "accuracy of majority on test >= 0.9"
    assert measured("time_to", one, **options).value == 40
    assert measured("time_to", one, **options, unit="horizon").value == 40 / 60
    assert measured("time_to", one, **options, after=other).value == 30
    assert measured("time_to", one, **options, over=other).value == 4
    late = measured("time_to", one, **options | {"level": 0.5}, over=other)
    assert (late.value, late.censored) == (6, True)
    with pytest.raises(protocol.NoValue, match=r"accuracy \(test, majority\) never reached 2"):
        measured("time_to", one, **options, over="accuracy of majority on test >= 2")


def test_options_are_checked_by_their_annotations():
    for options, message in (
        ({"off": "accuracy on test"}, "last: unknown key 'off'; allowed: of"),
        ({}, "last: key 'of' is missing"),
    ):
        with pytest.raises(UserError, match=message):
            measured("last", run(all=range(5)), **options)
    with pytest.raises(UserError, match="head_start.component = 1.0; allowed: a whole number"):
        measured("head_start", run(all=range(5)), component=1.0, step=3)
    with pytest.raises(UserError, match="statistic 'median' is unknown; allowed: area, "):
        protocol.named("median")
