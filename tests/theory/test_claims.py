"""The claims about the companion tables (T*, A.*): they hold on the theory, and a broken theory turns them red."""

import copy
import functools
from pathlib import Path

import pytest

from muon_imbalance.analysis.claims import claim_records, judging
from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.common.errors import UserError
from muon_imbalance.plan.families import load
from muon_imbalance.stages import judge, solve
from muon_imbalance.theory import bounds, diagonalisation, flows, sweep
from muon_imbalance.theory.tables import controls
from tests.theory.theory_draws import broken

ROOT = Path(__file__).parents[2]
CONFIG = load(ROOT).config["experiments"]
SMALLER = {
    "theorem_bounds": {"draws": {"inside": 400, "edge": 200, "anywhere": 400}},
    "controls": {"points": 20},
    "condition1_mixture": {"sizes": [100, 1000, 3000], "repetitions": 5},
}
STATED = claim_records.read_all(ROOT / "claims")
CLAIMS = [claim for claim in STATED if claim.experiment in SMALLER]


def table(name):
    theory = copy.deepcopy(CONFIG[name]["theory"])
    return solve.table({"table": theory["table"]} | theory["config"] | SMALLER[name])


def verdicts(name):
    """Verdicts on a fresh table."""
    experiment = Experiment(name, settings=CONFIG[name], theory=table(name))
    return {c.id: judging.judge(c, {name: experiment}, "laptop")["verdict"] for c in CLAIMS if c.experiment == name}


@functools.cache
def records():
    experiments = {name: Experiment(name, settings=CONFIG[name], theory=table(name)) for name in SMALLER}
    return {claim.id: judging.judge(claim, experiments, "laptop") for claim in CLAIMS}


def test_the_names():
    theorems = {f"T{theorem}.{part}" for theorem in (1, 2, 3, 4) for part in (1, 2)}
    audit = {"rates", "loose", "k9", "k9.between", "mu1", "outside", "fig2", "uniform", "step", "share", "loss"}
    assert set(records()) == theorems | {f"A.{name}" for name in audit} | {"A.joint", "A.joint.sample"}


@pytest.mark.parametrize("claim", [claim.id for claim in CLAIMS])
def test_holds(claim):
    found = records()[claim]
    assert found["verdict"] == "holds", found["note"]
    assert found["n"] >= next(c.min_seeds for c in CLAIMS if c.id == claim)


def test_notes_name_the_worst_mixture():
    found = records()["T2.1"]
    assert found["n"] > 300 and f"smallest of {found['n']:,} mixtures, at k = " in found["note"]
    assert "mixture k = 3, mu = 1, SNR = 0.01" not in records()["A.k9"]["note"], "only the deciding one is named"


MUTATIONS = {
    "gaps without 1/2": (sweep, "gap = 0.5 * (", "gap = 1.0 * (", "theorem_bounds", {"A.k9", "A.fig2"}),
    "gaps with the wrong sign": (
        sweep,
        "(1 - mu[..., None] * alpha) ** 2 - (1",
        "(1 - mu[..., None] * spec) ** 2 - (1",
        "theorem_bounds",
        {"T1.1", "T1.2", "T2.1", "T2.2", "A.rates"},
    ),
    "targets without the noise": (sweep, "mu**2 * p + sigma2", "mu**2 * p", "theorem_bounds", {"T1.1", "A.rates"}),
    "GF with the wrong rate": (flows, "-np.expm1(-s_xx *", "-np.expm1(-9 * s_xx *", "theorem_bounds", {"T1.2"}),
    "SpecGF at the wrong speed": (
        flows,
        "np.minimum(speed * np.asarray",
        "np.minimum(0.3 * speed * np.asarray",
        "theorem_bounds",
        {"T1.2", "T2.1", "A.rates"},
    ),
    "NGF without its norm": (
        flows,
        "return np.linalg.norm(s_yx * np.exp(-s_xx * tau[..., None]), axis=-1)",
        "return np.sum(s_yx * np.exp(-s_xx * tau[..., None]), axis=-1)",
        "theorem_bounds",
        {"A.k9"},
    ),
    "theorem 2 without k >= 9": (
        bounds,
        '"k >= 9": lambda m: _at_least(m.k, 9)',
        '"k >= 9": lambda m: _at_least(m.k, 0)',
        "theorem_bounds",
        {"T2.2"},
    ),
    "rates without x": (bounds, "1 - k**-0.5 - x", "1 - x / 9", "theorem_bounds", {"A.rates"}),
    "a condition turned round": (
        bounds,
        '"p_m <= 1/(5 SNR + 6 k)": lambda m: _at_most',
        '"p_m <= 1/(5 SNR + 6 k)": lambda m: _at_least',
        "theorem_bounds",
        {"T1.2", "T2.1"},
    ),
    "slowed by k": (flows, "** -0.5", "** -1.0", "controls", {"A.step"}),
    "not slowed": (flows, "speed=len(np.atleast_1d(r)) ** -0.5", "speed=1.0", "controls", {"A.step", "A.share"}),
    "gaps to the wrong flow": (
        controls,
        '"ngf": lambda t, m: flows.ngf',
        '"ngf": lambda t, m: flows.gf',
        "controls",
        {"A.step"},
    ),
    "equal time in place of equal loss": (
        controls,
        "(on_gf(x), on_specgf(t))",
        "(on_gf(t / m.r.max() * 0.1), on_specgf(t))",
        "controls",
        {"A.loss"},
    ),
    "the diagonal left in B": (
        diagonalisation,
        "off = head - np.diag(np.diagonal(head))",
        "off = head",
        "condition1_mixture",
        {"A.joint", "A.joint.sample"},
    ),
    "left singular vectors": (
        diagonalisation,
        "return x.T @ x / len(x), y.T @ x / len(x)",
        "return x.T @ x / len(x), y.T @ np.roll(x, 1, axis=0) / len(x)",
        "condition1_mixture",
        {"A.joint.sample"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_theory_turns_claims_red(name):
    module, old, new, experiment, red = MUTATIONS[name]
    with broken(module, old, new):
        found = verdicts(experiment)
    assert {claim for claim in red if found[claim] == "holds"} == set()


def test_too_few_mixtures_are_inconclusive_and_none_is_not_run():
    frame = table("theorem_bounds")
    few = frame[frame["step"] % 40 == 0]
    (claim,) = [claim for claim in CLAIMS if claim.id == "T1.1"]
    assert (
        judging.judge(claim, {"theorem_bounds": Experiment("theorem_bounds", theory=few)}, "laptop")["verdict"]
        == "inconclusive"
    )
    outside = frame[frame["curve"] == "fig_02"]
    found = judging.judge(claim, {"theorem_bounds": Experiment("theorem_bounds", theory=outside)}, "laptop")
    assert found["verdict"] == "not-run" and "no mixture of theorem_bounds meets the conditions" in found["note"]
    assert judging.judge(claim, {"theorem_bounds": Experiment("theorem_bounds")}, "laptop")["verdict"] == "not-run"


def test_a_curve_that_the_table_lacks_is_an_error():
    frame = table("controls")
    (claim,) = [claim for claim in CLAIMS if claim.id == "A.uniform"]
    lacking = frame[frame["metric"] != "gap_gf"]
    with pytest.raises(UserError, match=r"claim A.uniform: .*uniform has no gap_gf \(minority\); there are: .*gap_ngf"):
        judging.judge(claim, {"controls": Experiment("controls", theory=lacking)}, "laptop")


def test_sampled_tables_say_generated():
    manifests = dict.fromkeys(SMALLER)
    kinds = {name: judge.data_kind(name, manifests, CONFIG) for name in SMALLER}
    assert kinds == {"theorem_bounds": "population", "controls": "population", "condition1_mixture": "generated"}
