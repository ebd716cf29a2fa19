"""Default grids, the experiments that an optimizer joins, swept keys, and what is refused before anything runs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from muon_imbalance.analysis.claims.claim_records import read_all as read_claims
from muon_imbalance.analysis.selection import _edge
from muon_imbalance.common import tokens
from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import sweeps
from muon_imbalance.plan.planning import Plan
from muon_imbalance.stages import train
from tests.plan.configurations import planned

from .test_torch_class import job

ROOT = Path(__file__).parents[2]
SOAP = {"class": "pytorch_optimizer:SOAP", "lr": ["0.003", "0.01"], "betas": ["0.95,0.95"]}


def checked(**optimizers) -> Plan:
    """The plan of the configuration with further optimizers."""
    return planned({"experiments": optimizers.pop("experiments", {}), "optimizers": optimizers})


def test_one_entry_is_enough_for_figure_1():
    plan = checked(my_soap=SOAP)
    joined = [name for name, experiment in plan.training.items() if "my_soap" in experiment.sweep]
    assert "colored_mnist" in joined and "linear_softmax" not in joined and "population_linear" not in joined
    assert plan.training["colored_mnist"].sweep["my_soap"] == {"lr": SOAP["lr"], "betas": SOAP["betas"]}
    assert sweeps.users(plan, "colored_mnist") == ["my_soap"]
    assert joined == sweeps.headline(plan.config)
    assert {"colored_mnist_grid", "colored_mnist_weights"} < set(joined) and "colored_mnist_depth" not in joined


def test_an_experiment_that_others_do_not_join_can_still_be_named():
    plan = checked(my_soap=SOAP | {"experiments": ["colored_mnist_depth"]})
    assert sweeps.users(plan, "colored_mnist_depth") == ["my_soap"]


def test_without_an_entry_nothing_changes():
    plan = checked()
    for name, experiment in plan.training.items():
        written = plan.loaded.config["experiments"][name]
        assert experiment.frozen_from or plan.written(name) == written
        assert not sweeps.users(plan, name)


def test_an_experiment_has_the_last_word():
    own = {"lr": ["0.5"]}
    changed = checked(my_soap=SOAP, experiments={"colored_mnist": {"sweep": {"my_soap": own}}})
    assert changed.training["colored_mnist"].sweep["my_soap"] == own
    left_out = checked(my_soap=SOAP, experiments={"colored_mnist": {"sweep": {"my_soap": None}}})
    assert "my_soap" not in left_out.training["colored_mnist"].sweep


def test_chosen_experiments_replace_the_default():
    plan = checked(my_soap=SOAP | {"experiments": ["linear_softmax"]})
    assert "my_soap" in plan.training["linear_softmax"].sweep
    assert "my_soap" not in plan.training["colored_mnist"].sweep


def test_a_rule_of_the_package_joins_by_its_default_grid():
    plan = checked(mine={"rule": "adam", "lr": ["0.001"], "betas": ["0.9,0.99", "0.8,0.9"]})
    assert plan.training["colored_mnist"].sweep["mine"]["betas"] == ["0.9,0.99", "0.8,0.9"]


def test_grids_of_report_cards():
    plan = checked(my_soap=SOAP)
    assert sweeps.grid_of(plan, "colored_mnist", "muon") == plan.training["colored_mnist"].sweep["muon"]
    assert sweeps.grid_of(plan, "colored_mnist", "adam")["lr"] == ["0.0005", "0.001", "0.002"]
    assert sweeps.grid_of(plan, "linear_softmax", "my_soap")["lr"] == SOAP["lr"]
    assert sweeps.grid_place(plan, "colored_mnist", "adam") == "card.experiments.colored_mnist.sweep.adam"
    assert sweeps.grid_place(plan, "colored_mnist", "my_soap") == "optimizers.my_soap"
    with pytest.raises(UserError, match="adam has no grid for deep_gd; add lr: .* under optimizers.adam"):
        sweeps.grid_of(plan, "deep_gd", "adam")
    controls = set(plan.training["spectral_dose_mnist"].sweep)  # of Fig. S8; some need names of its layers
    for experiment in plan.card.experiments:
        for name in set(plan.optimizers) - controls:
            assert sweeps.grid_of(plan, experiment, name)["lr"]
        for name in controls:
            with pytest.raises(
                UserError, match=f"{name} has no grid for {experiment}; add lr: .*{experiment}.sweep.{name}"
            ):
                sweeps.grid_of(plan, experiment, name)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"lr": ["1"]}, "has none of 'rule' and 'class'; allowed: one"),
        ({"rule": "adam", "path": "here"}, "optimizers.x: key 'path' is read for a class only"),
        ({"class": "a:B\n", "lr": ["1"]}, "optimizers.x.class = .*; allowed: package.module:Class"),
        ({"class": "a:B", "lr": ["1"], "only_matrices": 1}, "only_matrices = 1; allowed: true or false"),
        ({"rule": "adam", "lr": ["1"], "betas": [f"0.{n}" for n in range(10, 90)] * 2}, "is there twice"),
        ({"class": "SOAP", "lr": ["1"]}, "optimizers.x.class = 'SOAP'; allowed: package.module:Class"),
        ({"class": "a:B"}, "optimizers.x: key 'lr' is missing"),
        ({"class": "a:B", "lr": [0.1]}, "0.1 must be text .*quotes"),
        ({"class": "a:B", "lr": ["0.1,0.2"]}, "'0.1,0.2' is not a non-negative number"),
        ({"class": "a:B", "lr": ["1"], "experimants": ["colored_mnist"]}, "x.experimants: 'colored_mnist' is not a"),
        ({"class": "a:B", "lr": ["1"], "experiments": ["colored"]}, "'colored' is not an experiment .*colored_mnist"),
        ({"class": "a:B", "lr": ["1"], "experiments": ["eigenbasis"]}, "'eigenbasis' is not an experiment .* join"),
        ({"class": "a:B", "lr": ["1"], "eps": ["1"], "hyper": {"eps": 1}}, "'eps' is both fixed .* and swept"),
        ({"class": "a:B", "rule": "muon", "lr": ["1"]}, "has both of 'rule' and 'class'; allowed: one"),
        ({"rule": "adam", "momentum": ["0.9"], "lr": ["1"]}, "'momentum' is not a hyperparameter of adam; allowed: lr"),
        ({"rule": "adam", "hyper": {"beta": 1}}, "optimizers.x.hyper: unknown key 'beta'; allowed: betas"),
        ({"rule": "adam", "betas": ["0.9"], "lr": ["1"]}, r"x.betas: '0.9' is not allowed; allowed: 2 numbers"),
        ({"rule": "nmd", "nesterov": ["1"], "lr": ["1"]}, "x.nesterov: '1' is a number, but nesterov is False"),
        ({"rule": "muon", "momentum": ["0.9"]}, "optimizers.x: key 'lr' is missing .it sweeps momentum"),
    ],
)  # fmt: skip
def test_mistakes_are_named(entry, message):
    with pytest.raises(UserError, match=message):
        checked(x=entry)


def test_a_class_cannot_be_put_where_rules_are_compared_with_closed_forms():
    sweep = {"gd": {"lr": ["0.04"]}, "my_soap": {"lr": ["0.1"]}}
    with pytest.raises(UserError, match="deep_gd.sweep.my_soap: a class cannot be trained on task deep_linear"):
        checked(my_soap=SOAP, experiments={"deep_gd": {"sweep": sweep}})


@pytest.mark.parametrize(
    ("token", "default", "value"),
    [("0.5", 0.1, 0.5), ("10", 1, 10), ("10", 1.0, 10.0), ("1e-3", None, 1e-3), ("0.9,0.99", (0.8, 0.9), (0.9, 0.99)),
     ("0.9,0.99", None, (0.9, 0.99)), ("0.9", (0.5,), (0.9,)), ("0.5", 3, 0.5)],
)  # fmt: skip
def test_tokens(token, default, value):
    found = tokens.value("key", token, default)
    assert found == value and type(found) is type(value)


def test_the_border_of_a_grid_of_pairs():
    values = ["0.9,0.999", "0.8,0.9", "0.9,0.99"]
    assert [_edge(value, values) for value in values] == ["upper", "lower", None]


def test_swept_pairs_and_whole_numbers_in_stacks(tmp_path):
    """A stack with a pair each equals its models one by one; whole numbers part the stack."""
    from .test_torch_class import run

    cells = [{"lr": "0.01", "betas": "0.9,0.99"}, {"lr": "0.02", "betas": "0.5,0.9"}]
    described = job(rule="adam", own={}, cells=cells)
    assert [len(stack) for stack in train.stacks(described, described.runs())] == [4]
    together = run(described, tmp_path / "a")
    for number, cell in enumerate(cells):
        alone = run(job(rule="adam", own={}, cells=[cell]), tmp_path / f"b{number}")
        rows = together[together["lr"] == cell["lr"]]
        np.testing.assert_allclose(rows["value"], alone["value"], rtol=1e-9, atol=1e-12)
        assert set(rows["hyper"]) == {json.dumps({"betas": cell["betas"]})}
    cells = [{"lr": "0.01", "precondition_frequency": token} for token in ("1", "5")]
    described = job(rule="shampoo", own={}, cells=cells)
    assert [len(stack) for stack in train.stacks(described, described.runs())] == [2, 2]
    assert len(run(described, tmp_path / "c"))


def test_claims_are_judged_for_an_optimizer_of_the_user(tmp_path):
    known = {claim.id for claim in read_claims(ROOT / "claims")}
    claims = read_claims(ROOT / "claims", {"colored_mnist": ["my_soap"], "eigenbasis": []})
    added = {claim.id: claim for claim in claims if claim.id not in known}
    assert {"C1.1@my_soap", "A1.1@my_soap"} <= set(added) and "C1.3@my_soap" not in added
    assert all(re.fullmatch(r"[A-Z][0-9.]+[a-z0-9.]*@my_soap", name) for name in added)
    claim = added["C1.1@my_soap"]
    assert "Not of the paper" in claim.statement
    named = {name for check in claim.checks for names in check.comparisons() for name in names}
    assert "my_soap" in named and "muon" not in named and {"nmd", "signum"} <= named


def test_torch_is_not_needed_to_start_the_workflow():
    code = "import sys; from muon_imbalance.optimizers.torch_bridge import user_code\n"
    code += "from muon_imbalance.optimizers import registry; registry.defaults('muon')\n"
    code += "user_code.origin('torch.optim:Adam'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert done.stdout.strip() == "False"
    assert torch.__version__
