"""The configuration: shipped files are valid, and each kind of mistake is named with what is allowed."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from muon_imbalance.common.errors import UserError
from muon_imbalance.optimizers import registry
from muon_imbalance.plan import sweeps
from muon_imbalance.plan.config import cells, check_claims, check_references, check_schema, stand_ins, without_nulls

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


def merged(base, over):
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merged(base.get(key), value) for key, value in over.items()}
    return over


def load(scale="laptop"):
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    if scale != "laptop":
        config = merged(config, yaml.safe_load((ROOT / f"workflow/scales/{scale}.yaml").read_text()))
    return config


def check(config):
    config = without_nulls(config)
    check_schema(config, SCHEMA)
    check_references(config, registry.names(), ROOT / "notebooks", registry.defaults)


def set_at(config, path, value):
    *parents, last = path.split("/")
    node = config
    for part in parents:
        node = node[part]
    node[last] = value


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_shipped_configurations_are_valid(scale):
    check(load(scale))


def test_the_schema_is_a_schema_and_describes_every_key():
    schema = yaml.safe_load(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)

    def leaves(node, path=""):
        for key, value in node.get("properties", {}).items():
            yield f"{path}.{key}", value
            yield from leaves(value, f"{path}.{key}")

    nodes = [("", schema), *schema["$defs"].items()]
    undescribed = [path for name, node in nodes for path, leaf in leaves(node, name) if "description" not in leaf]
    assert not undescribed
    closed = json.dumps(schema).count('"additionalProperties": false')
    assert closed >= 10


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("experiments/colored_mnist/stepss", 3, "experiments.colored_mnist: unknown key 'stepss'; allowed: .*steps"),
        ("figure_dir", "x", "config: unknown key 'figure_dir'; allowed: .*figures_dir"),
        ("scale", "tiny", "scale: 'tiny' is not allowed; allowed: smoke, laptop, paper"),
        ("device", "tpu", "device: 'tpu' is not allowed; allowed: cpu, cuda"),
        ("experiments/colored_mnist/steps", 0, "experiments.colored_mnist.steps: 0 is less than the minimum of 1"),
        ("experiments/colored_mnist/sweep/nmd/lr", ["-0.1"], "'-0.1' is not a non-negative number"),
        ("experiments/colored_mnist/sweep/nmd/lr", [0.1], "0.1 must be of type string .*quotes"),
        ("experiments/colored_mnist/sweep/nmdd", {"lr": ["0.1"]}, "'nmdd' is unknown; allowed: .*nmd"),
        ("optimizers/soap", {"rule": "soap"}, "optimizers.soap.rule: 'soap' is unknown; allowed: .*muon"),
        ("experiments/colored_mnist/dataset", "cifar11", "'cifar11' is unknown; allowed: .*colored_mnist"),
        ("experiments/colored_mnist/seeds", 50, "50 repetitions are asked for, but the data set 'colored_mnist' has 5"),
        ("experiments/colored_mnist/grid_seeds", 9, "grid_seeds: 9 is more than seeds"),
        ("experiments/colored_mnist/selection", None, "several cells, so the key 'selection' is needed"),
        ("experiments/population_linear/mixture/p", [0.5, 0.3, 0.3], "must be k = 3 numbers that sum to 1"),
        ("experiments/population_linear/mixture/d", 2, "mixture.d: 2 is less than k = 3"),
        ("experiments/controls/theory", None, "experiments.controls: key 'theory' is missing"),
        ("experiments/controls/theory/table", None, "experiments.controls.theory: key 'step' is missing"),
        ("experiments/controls/theory/table", "control", "'control' is not allowed; allowed: controls, joint_diag"),
        ("experiments/controls/theory/config", None, "experiments.controls.theory: key 'config' is missing"),
        ("experiments/controls/theory", {"step": 0.1, "curves": ["gd"]}, "controls.theory: key 'table' is missing"),
        ("experiments/condition1_mnist/theory/dataset", "mnits", "theory.dataset: 'mnits' is unknown; allowed: "),
        ("experiments/logit_spectrum/sweep", None, "experiments.logit_spectrum: key 'sweep' is missing"),
        ("experiments/logit_spectrum/model/name", "one_hiden", "'one_hiden' is not allowed; allowed: .*one_hidden"),
        ("figures/fig_31/topic", "spectra", "figures.fig_31.topic: 'spectra' is not allowed; allowed: theory"),
        ("experiments/eigenbasis/hyper/muonn", {}, "experiments.eigenbasis.hyper: 'muonn' is unknown; allowed: .*muon"),
        ("experiments/deep_gd/variants/low_snr_1", {"layers": 2}, "low_snr_1: unknown key 'layers'; allowed: .*model"),
        ("experiments/deep_gd/variants/low_snr_1/mixture", {"q": 1}, "low_snr_1.mixture: unknown key 'q'; allowed: d"),
        ("experiments/deep_gd/variants/low_snr_1/mixture", {"d": 2}, "low_snr_1.mixture.d: 2 is less than k = 3"),
        ("experiments/deep_gd/variants/low_snr_1/model", {}, "low_snr_1.model: key 'layers' is missing"),
        ("experiments/deep_gd/variants/Low", {}, "name 'Low' is not allowed; names must match"),
        ("figures/fig_01/experiments", ["colored"], "figures.fig_01.experiments: 'colored' is unknown; allowed: "),
        ("figures/fig_99", {"slug": "x", "title": "x", "experiments": []}, "no notebook fig_99_x.ipynb in notebooks/"),
        ("figures/figure_1", {"slug": "x"}, "name 'figure_1' is not allowed; names must match"),
        ("datasets/mnist/config/source", "mnist_folder", "data_dir: None, but datasets.mnist is read from a folder"),
        ("provenance/experiments.colored_mnist.step", "paper", "leads to no setting .*at 'step'"),
    ],
)  # fmt: skip
def test_mistakes_are_named(path, value, message):
    config = copy.deepcopy(load())
    set_at(config, path, value)
    with pytest.raises(UserError, match=message):
        check(config)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda f: f["claims"][0].update(figur="fig_01"), "x.yaml: claims.0: unknown key 'figur'; allowed: .*figure"),
        (
            lambda f: f["claims"][0].update(figure="fig_98"),
            "x.yaml: claim .*figure: 'fig_98' is unknown; allowed: .*fig_01",
        ),
        (lambda f: f.update(experiment="cifar"), "x.yaml: experiment: 'cifar' is unknown; allowed: .*colored_mnist"),
    ],
)
def test_mistakes_in_claims_are_named(edit, message):
    schema = ROOT / "workflow/schemas/claims.schema.yaml"
    family = yaml.safe_load((ROOT / "claims/colored_mnist.yaml").read_text())
    check_claims({"x.yaml": family}, load(), schema)
    edit(family)
    with pytest.raises(UserError, match=message):
        check_claims({"x.yaml": family}, load(), schema)


def test_stand_ins_are_an_error_when_real_data_is_required():
    config = load()
    config["require_real"] = True
    with pytest.raises(UserError, match="require_real: .*fig_09: tales stands in for TinyStories.*scale: paper"):
        check(config)
    config["figures"] = {name: config["figures"][name] for name in ("fig_01", "fig_02")}
    check(config)
    config["datasets"]["mnist"]["stand_in_for"] = "MNIST"
    with pytest.raises(UserError, match=r"data: fig_01: mnist stands in for MNIST\. Allowed"):
        check(config)  # a parent counts, a figure without data does not


def test_stand_ins_are_named_by_what_they_replace():
    found = stand_ins(load())
    text = {"toynli": "MultiNLI", "MiniLM-L6": "BERT-base"}
    pictures = {"skygroups": "CelebA", "EfficientNet-Lite0": "an ImageNet ResNet"}
    assert found["fig_08"] == text | pictures
    assert (found["fig_23"], found["fig_24"]) == (text, pictures)
    assert found["fig_19"] == {"fractal100": "CIFAR-100"}
    assert found["fig_28"] == {"toystories": "TinyStories"}
    assert not {"fig_01", "fig_07", "fig_18"} & set(found)
    paper = merged(load(), yaml.safe_load((ROOT / "workflow/scales/paper.yaml").read_text()))
    assert stand_ins(without_nulls(paper)) == {}


def test_frozen_hyperparameters_are_those_of_another_experiment():
    config = sweeps.joined(load())
    experiments = config["experiments"]
    frozen = experiments["cifar10_r10"]
    assert list(frozen["sweep"]) == frozen["optimizers"] == ["nmd", "signum", "muon"]
    assert frozen["sweep"]["muon"] == experiments["cifar10_r20"]["sweep"]["muon"]
    check(config)
    for changes, message in (
        ({"frozen_from": "cifar10"}, "frozen_from: 'cifar10' is unknown; allowed: .*cifar10_r20"),
        ({"frozen_from": "cifar10_r5"}, "frozen_from: 'cifar10_r5' is unknown"),
        ({"optimizers": ["sgd"]}, "optimizers: 'sgd' is unknown; allowed: adam, muon, nmd, signum"),
        ({"sweep": {"muon": {"lr": ["0.1"]}}}, "it takes the selection of cifar10_r20"),
    ):
        changed = merged(load(), {"experiments": {"cifar10_r10": changes}})
        with pytest.raises(UserError, match=message):
            sweeps.joined(changed)


def test_minibatches_and_steps_are_for_different_tasks():
    for name, changes, message in (
        ("cifar10_r20", {"steps": 5}, "'steps' is for other tasks; network takes epochs, batch"),
        ("colored_mnist", {"epochs": 5}, "'epochs' is for other tasks; classification takes steps"),
        ("cifar10_r20", {"batch": None}, "key 'batch' is missing"),
        ("colored_mnist", {"steps": None}, "key 'steps' is missing"),
        ("colored_mnist", {"sweep": None}, "key 'sweep' is missing"),
    ):
        with pytest.raises(UserError, match=message):
            check(merged(load(), {"experiments": {name: changes}}))


def test_null_in_an_overlay_leaves_something_out():
    config = merged(load(), {"experiments": {"colored_mnist": {"sweep": {"nmd": None}}}})
    assert "nmd" not in without_nulls(config)["experiments"]["colored_mnist"]["sweep"]


def test_cells_are_all_combinations():
    grid = cells({"lr": ["0.1", "0.2"], "momentum": ["0", "0.9"]})
    assert [tuple(cell.values()) for cell in grid] == [("0.1", "0"), ("0.1", "0.9"), ("0.2", "0"), ("0.2", "0.9")]
