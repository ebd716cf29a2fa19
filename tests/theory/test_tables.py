"""The named tables of the companion figures: what they hold, that they repeat, and messages for mistakes."""

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.data.digits import mnist
from muon_imbalance.data.store import manifest
from muon_imbalance.plan.families import load
from muon_imbalance.stages import solve
from muon_imbalance.theory import diagonalisation, moments, tables
from muon_imbalance.theory.options import MixtureSettings
from muon_imbalance.theory.tables import controls
from tests.theory.theory_draws import FIG2

CONFIG = load(Path(__file__).parents[2]).config["experiments"]
EVEN = {"k": 3, "d": 3, "p": "uniform", "mu": 1, "sigma2": 1}
FEW = {"inside": 40, "edge": 20, "anywhere": 40}


def options(name, **changes):
    theory = copy.deepcopy(CONFIG[name]["theory"])
    return {"table": theory["table"]} | theory["config"] | changes


@pytest.fixture(scope="module")
def bounds_table():
    return solve.table(options("theorem_bounds", draws=FEW))


@pytest.fixture(scope="module")
def controls_table():
    return solve.table(options("controls", points=20))


def curve(frame, name, metric, group):
    rows = frame[(frame["curve"] == name) & (frame["metric"] == metric) & (frame["group"] == group)]
    return rows["t"].to_numpy(), rows["value"].to_numpy()


def test_every_table_has_the_columns_of_a_theory_table(bounds_table, controls_table):
    for frame in (bounds_table, controls_table):
        assert list(frame.columns) == ["curve", "t", "step", "group", "metric", "value"]
        assert [str(frame[name].dtype) for name in ("t", "step", "value")] == ["float64", "int64", "float64"]
        assert np.isfinite(frame["value"]).all()


def test_theorem_bounds_draws_inside_and_outside(bounds_table):
    wide = bounds_table.pivot(index=["curve", "step"], columns=["metric", "group"], values="value")
    assert len(wide) == 102 and wide.notna().all().all()
    inside = (wide["met", "k >= 3 mu"] == 1) & (wide["met", "p_m <= 1/(5 SNR + 6 k)"] == 1)
    assert inside.loc[["inside", "edge"]].all() and not inside.loc["anywhere"].all() and not inside["fig_02"].any()
    assert (wide.loc["edge", ("mu", "all")] >= 1).all() and (wide.loc["inside", ("mu", "all")] < 1).any()
    at_bound = wide["p_m", "all"] * (5 * wide["snr", "all"] + 6 * wide["k", "all"])
    assert at_bound.loc["edge"].to_numpy() == pytest.approx(1, abs=1e-6)
    assert wide["k", "all"].max() <= CONFIG["theorem_bounds"]["theory"]["config"]["most_classes"]
    fig2 = wide.loc["fig_02"].iloc[0]
    assert fig2["gap_ngf", "balanced"] == pytest.approx(0.157, abs=1e-3)
    assert fig2["theorem1", "minority"] == 0


def test_tables_repeat(bounds_table):
    again = solve.table(options("theorem_bounds", draws=FEW))
    assert bounds_table.equals(again)
    other = solve.table(options("theorem_bounds", draws=FEW, seed=1))
    assert not bounds_table["value"].equals(other["value"])


def test_the_controls_split_the_gap(controls_table):
    t, whole = curve(controls_table, "fig_02", "gap_ngf", "minority")
    assert t[-1] == pytest.approx(controls.first_fit_time(FIG2)) and len(t) == 20
    left, rest = (curve(controls_table, "fig_02", name, "minority")[1] for name in ("gap_ngf_slowed", "step_length"))
    assert left + rest == pytest.approx(whole) and np.all(left > 0) and np.all(rest > 0)
    behind, ahead = (curve(controls_table, "fig_02", f"loss_{flow}", "minority")[1] for flow in ("ngf", "specgf"))
    assert behind - ahead == pytest.approx(whole)
    assert np.abs(curve(controls_table, "uniform", "gap_ngf_slowed", "minority")[1]).max() <= 1e-12
    progress, gap = curve(controls_table, "fig_02", "equal_loss_gap", "minority")
    assert gap == pytest.approx(controls.equal_loss(FIG2, progress)[1]["gap"]["minority"])


def test_joint_diagonalisation_of_mixtures():
    frame = solve.table(options("condition1_mixture", sizes=[100, 10_000], repetitions=4))
    for name in ("fig_02", "fig_31"):
        exact = frame[(frame["curve"] == f"{name}/population")]
        assert (exact["step"] == 0).all() and (exact["value"] <= 1e-12).all()
        means = frame[(frame["curve"] == name) & (frame["metric"] == "spectral")].groupby("step")["value"].mean()
        assert means[100] > 4 * means[10_000] > 0
    many = frame[(frame["curve"] == "fig_02") & (frame["metric"] == "frobenius") & (frame["step"] == 10_000)]
    assert many["t"].tolist() == [0, 1, 2, 3] and many["value"].nunique() == 4


@pytest.fixture
def digits(tmp_path):
    """A small data set in MNIST's form."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(10), 12).astype(np.uint8)
    images = rng.integers(0, 256, (120, 28, 28)).astype(np.uint8)
    arrays = {"train_images": images, "train_labels": label, "test_images": images[:10], "test_labels": label[:10]}
    facts = {"name": "mnist", "kind": "real", "label": "digits", "source": {}, "licence": "x", "citation": "x"}
    manifest.write(tmp_path / "mnist", arrays, facts | {"builder": "mnist", "config": {}}, mnist.describe(arrays))
    return tmp_path / "mnist", images.reshape(120, -1) / 255, np.eye(10)[label]


def test_joint_diagonalisation_of_a_data_set(digits):
    folder, x, y = digits
    frame = solve.table(options("condition1_mnist", sizes=[50], repetitions=2), folder)
    shown = frame[frame["metric"] == "spectral"]
    assert sorted(shown["step"].unique()) == [50, 120], "the set's own size is added"
    assert len(shown) == 2 * 2 + 2
    for group, moments_ in {
        "uncentred": diagonalisation.sample_moments(x, y),
        "centred": diagonalisation.sample_moments(x - x.mean(0), y - y.mean(0)),
    }.items():
        value = shown[(shown["step"] == 120) & (shown["group"] == group)]["value"].item()
        assert value == pytest.approx(diagonalisation.off_diagonal_ratio(*moments_)["spectral"], abs=1e-9)
    entries = frame[frame["metric"] == "entry"].set_index("group")["value"]
    turned = np.abs(diagonalisation.in_right_basis(*diagonalisation.sample_moments(x, y)))
    assert len(entries) == 14 * 14 and entries["0,0"] == pytest.approx(turned[0, 0] / turned.max())
    assert entries["2,5"] == pytest.approx(entries["5,2"])
    with pytest.raises(UserError, match="t: sizes = 500; allowed: up to the 120 training samples of the data set"):
        solve.table(options("condition1_mnist", sizes=[50, 500]), folder, "t")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("theorem_bounds", {"draw": 3}, "t: unknown key 'draw'; allowed: draws, mixtures, most_classes, seed"),
        ("theorem_bounds", {"draws": {"inside": 3}}, "t.draws: key 'edge' is missing"),
        ("theorem_bounds", {"draws": FEW | {"edge": 0}}, "t.draws.edge = 0; allowed: a whole number from 1"),
        ("theorem_bounds", {"draws": FEW | {"edge": 5.0}}, "t.draws.edge = 5.0; allowed: a whole number from 1"),
        ("theorem_bounds", {"most_classes": 2}, "t.most_classes = 2; allowed: a whole number from 3 to 100"),
        ("theorem_bounds", {"seed": -1}, "t.seed = -1; allowed"),
        ("theorem_bounds", {"mixtures": {}}, "t.mixtures = {}; allowed: a map of names to maps of k, d, p, mu"),
        ("controls", {"points": 1}, "t.points = 1; allowed: a whole number from 2"),
        ("controls", {"points": True}, "t.points = True; allowed"),
        ("controls", {"mixtures": {"a": EVEN | {"p": "flat"}}}, "t.mixtures.a.p = 'flat'; allowed: uniform, zipf or"),
        ("controls", {"mixtures": {"a": EVEN | {"p": {"stop": 2}}}}, "t.mixtures.a.p: unknown key 'stop'"),
        ("controls", {"mixtures": {"a": EVEN | {"d": 2}}}, "t.mixtures.a: d = 2; allowed"),
        ("controls", {"mixtures": {"a": EVEN | {"k": None}}}, "t.mixtures.a.k = None"),
        ("controls", {"mixtures": {"a": EVEN | {"mu": float("nan")}}}, "t.mixtures.a.mu = nan; allowed: a number"),
        ("condition1_mixture", {"sizes": 100}, "t.sizes = 100; allowed: a list"),
        ("condition1_mixture", {"sizes": [1]}, "t.sizes.0 = 1; allowed: a list of whole numbers from 2"),
        ("condition1_mixture", {"sizes": []}, "t.sizes = []; allowed"),
        ("condition1_mixture", {"sizes": [10**12]}, "t.sizes.0 = 1000000000000; allowed"),
        ("condition1_mnist", {}, "t: key 'mixtures' is missing"),
        ("controls", {"table": "control"}, "'control' is unknown; allowed: controls, curves, joint_diagonalisation"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused(name, change, message):
    with pytest.raises(UserError) as raised:
        solve.table(options(name, **change), name="t")
    assert message in str(raised.value)


def test_options_depend_on_whether_a_data_set_is_read(digits):
    folder, *_ = digits
    with pytest.raises(UserError, match="unknown key 'mixtures'; allowed: repetitions, seed, sizes"):
        solve.table(options("condition1_mixture"), folder)
    with pytest.raises(UserError, match="theory table 'controls' reads no data set"):
        solve.table(options("controls"), folder)
    with pytest.raises(UserError, match="theory table 'control' is unknown"):
        tables.options("control", reads_data=True)


def test_options_are_read_without_numpy():
    code = (
        "import sys; from muon_imbalance.theory import tables\n"
        "for name in tables.TABLES.names(): assert tables.options(name).model_fields\n"
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_priors_by_name():
    given = {"k": 4, "d": 4, "mu": 1.0, "sigma2": 1.0}
    for prior, p in (("uniform", moments.uniform(4)), ("zipf", moments.zipf(4)), ({"step": 20}, moments.step(4, 20))):
        settings = checked(MixtureSettings, given | {"p": prior}, "mixture")
        assert moments.Mixture.of(settings).p == pytest.approx(p)
