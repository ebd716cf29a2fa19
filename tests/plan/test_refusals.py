"""The configuration: shipped files are valid, and each kind of mistake is named with what is allowed."""

import os

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import checks
from muon_imbalance.plan.figures import stand_ins
from muon_imbalance.plan.job import cells
from muon_imbalance.plan.planning import Plan, load

from .configurations import ROOT, SCALES, at, plan_of, planned

NAN, COLORED, CIFAR = float("nan"), "experiments/colored_mnist", "experiments/cifar10_r20"


@pytest.mark.parametrize("scale", SCALES)
def test_shipped_configurations_are_valid(scale):
    plan = plan_of(scale)
    assert plan.scale == scale and plan.claims and len(plan.figures) > 30


def refused(path, value, message):
    with pytest.raises(UserError, match=message) as error:
        planned(at(path, value))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("figure_dir", "x", "unknown key 'figure_dir'; allowed: .*figures_dir"),
        ("device", "tpu", "device = 'tpu'; allowed: cpu, cuda"),
        ("require_real", "no", "require_real = 'no'; allowed: true or false"),
        ("checkpoint_seconds", NAN, "checkpoint_seconds = nan; allowed: a number from 0"),
        ("checkpoint_seconds", -1, "checkpoint_seconds = -1; allowed: a number from 0"),
        ("figures_dir", "", "figures_dir = ''"),
        ("figures", 3, "figures = 3; allowed: a map"),
        ("optimizers", {"x": 3}, "optimizers.x = 3; allowed: a map"),
        ("experiments/Colored", {"task": "population"}, "name 'Colored' is not allowed; names must match"),
        ("optimizers/soap\n", {"rule": "muon"}, "name 'soap.n' is not allowed"),
        (f"{COLORED}/stepss", 3, "unknown key 'stepss'; allowed: .*steps.* .task stacked_classification"),
        (f"{COLORED}/steps", 0, "experiments.colored_mnist.steps = 0; allowed: a whole number from 1 to"),
        (f"{COLORED}/steps", 100.0, r"steps = 100.0; allowed: a whole number"),
        (f"{COLORED}/steps", 10**12, "steps = 1000000000000; allowed: a whole number from 1 to"),
        (f"{COLORED}/steps", True, "steps = True; allowed: a whole number"),
        (f"{COLORED}/steps", None, "key 'steps' is missing"),
        (f"{COLORED}/epochs", 5, "unknown key 'epochs'; allowed: .*steps.* .task stacked_classification"),
        (f"{COLORED}/batch", 5, "unknown key 'batch'; allowed: .*task stacked_classification"),
        (f"{COLORED}/within", 5, "unknown key 'within'"),
        (f"{COLORED}/record", {"every": 1, "within": 2}, "record: unknown key 'within'; allowed: dense_until, every"),
        (f"{COLORED}/record/every", 1000, "record.every = 1000; allowed: up to the 256"),
        (f"{COLORED}/warmup", 256, "warmup = 256; allowed: fewer than the 256 steps"),
        (f"{COLORED}/stack", 10**9, "stack = 1000000000; allowed: a whole number from 1 to"),
        (f"{COLORED}/chunk", 0, "chunk = 0; allowed: a whole number from 1"),
        (f"{COLORED}/seeds", 2.0, "seeds = 2.0; allowed: a whole number"),
        (f"{COLORED}/seeds", 50, "50 repetitions are wanted, but the data set 'colored_mnist' has 5"),
        (f"{COLORED}/grid_seeds", 9, "grid_seeds: 9 is more than seeds"),
        (f"{COLORED}/looks", [8, 5], r"looks: \[8, 5\] are not ascending"),
        (f"{COLORED}/looks", [1, 5], "looks"),
        (f"{COLORED}/looks", [5, 6, 7, 8, 9, 10], "looks"),
        (f"{COLORED}/budget_core_s", NAN, "budget_core_s = nan; allowed: a number above 0"),
        (f"{COLORED}/task", "networc", "task 'networc' is unknown; allowed: .*minibatch_classification"),
        (f"{COLORED}/task", None, "experiments.colored_mnist: key 'task' is missing; allowed: .*theory"),
        (f"{COLORED}/schedule", "step", "schedule = 'step'; allowed: constant, linear, cosine"),
        (f"{COLORED}/dataset", "cifar11", "dataset: 'cifar11' is unknown; allowed: .*colored_mnist"),
        (f"{COLORED}/dataset", "toystories", "'toystories' is built by toystories, which task stacked_classificat"),
        (f"{COLORED}/dataset", "mnist", "dataset = 'mnist' is built by mnist, .* allowed: .*colored_mnist_small"),
        (f"{COLORED}/dataset", None, "key 'dataset' is missing .task stacked_classification needs it"),
        ("experiments/population_linear/dataset", "mnist", "unknown key 'dataset'; allowed: .*task population"),
        ("experiments/population_linear/chunk", 5, "unknown key 'chunk'; allowed: .*task population"),
        (f"{COLORED}/selection", None, "several cells, so the key 'selection' is needed"),
        (f"{COLORED}/selection/at", "last", "selection.at = 'last'; allowed: end, best"),
        (f"{COLORED}/sweep", None, "key 'sweep' is missing"),
        (f"{COLORED}/sweep/nmd", 3, "sweep.nmd = 3; allowed: a map"),
        (f"{COLORED}/sweep/nmd/lr", ["-0.1"], "'-0.1' is not a non-negative number"),
        (f"{COLORED}/sweep/nmd/lr", ["0.1\n"], "is not a non-negative number"),
        (f"{COLORED}/sweep/nmd/lr", ["0"], "sweep.nmd.lr: '0'; allowed: a finite number above 0"),
        (f"{COLORED}/sweep/nmd/lr", ["1e999"], "'1e999'; allowed: a finite number above 0"),
        (f"{COLORED}/sweep/nmd/lr", ["0.1", "0.10"], "'0.10' is there twice .also as '0.1'"),
        (f"{COLORED}/sweep/nmd/lr", ["0.1", "0.1"], "'0.1' is there twice"),
        (f"{COLORED}/sweep/nmd/lr", [0.1], "0.1 must be text .write numbers of a sweep in quotes"),
        (f"{COLORED}/sweep/nmd/lr", [], r"sweep.nmd.lr = \[\]; allowed: a list with at least one"),
        (f"{COLORED}/sweep/nmd/lr", "0.1", "sweep.nmd.lr = '0.1'; allowed: a list"),
        (f"{COLORED}/sweep/nmd/momentun", ["0.9"], "'momentun' is not a hyperparameter of nmd; allowed: .*momentum"),
        (f"{COLORED}/sweep/nmdd", {"lr": ["0.1"]}, "'nmdd' is unknown; allowed: .*nmd"),
        (f"{COLORED}/hyper", {"muonn": {}}, "experiments.colored_mnist.hyper: 'muonn' is unknown; allowed: .*muon"),
        (f"{COLORED}/optimizers", ["muon"], "key 'optimizers' is read with 'frozen_from' only"),
        (f"{CIFAR}/steps", 5, "unknown key 'steps'; allowed: .*epochs.* .task minibatch_classification"),
        (f"{CIFAR}/stack", 5, "unknown key 'stack'; allowed: .*task minibatch_classification"),
        (f"{CIFAR}/batch", None, "key 'batch' is missing"),
        (f"{CIFAR}/batch", 32.0, "batch = 32.0; allowed: a whole number"),
        (f"{CIFAR}/clip", NAN, "clip = nan; allowed: a number from 0"),
        (f"{CIFAR}/record/every", 11, "record.every = 11; allowed: up to the 10"),
        ("experiments/cifar10_r5/optimizers", None, r"cifar10_r5.optimizers = None; allowed: a list of .*muon"),
        ("experiments/cifar10_r5/frozen_from", "cifar10", "frozen_from: 'cifar10' is unknown; allowed: .*cifar10_r20"),
        ("experiments/controls/theory", None, "experiments.controls: key 'theory' is missing"),
        ("experiments/controls/theory/table", "control", "theory.table: theory table 'control' is unknown; all"),
        ("experiments/controls/theory/config", None, "experiments.controls.theory: key 'config' is missing"),
        ("experiments/controls/theory", {"table": None}, "controls.theory: key 'table' is missing"),
        ("experiments/controls/steps", 5, "experiments.controls: unknown key 'steps'; allowed: .*task theory"),
        ("experiments/condition1_mnist/theory/dataset", "mnits", "theory.dataset: 'mnits' is unknown; allowed: "),
        ("experiments/deep_gd/variants/low_snr_1", {"layers": 2}, "unknown key 'layers'; allowed: .*deep_linear"),
        ("experiments/deep_gd/variants/Low", {}, "name 'Low' is not allowed; names must match"),
        ("experiments/deep_gd/variants/low_snr_1/lr", "0", "low_snr_1.lr: '0'; allowed: a finite number above 0"),
        ("optimizers/soap", {"rule": "soap"}, "optimizers.soap.rule: 'soap' is unknown; allowed: .*muon"),
        ("datasets/mnist/builder", "mnits", "datasets.mnist.builder: data set builder 'mnits' is unknown; all"),
        ("datasets/mnist/parent", "mnist", "datasets.mnist: 'parent' is unknown; allowed: "),
        ("datasets/colored_mnist/parent", "cifar10", "parent = 'cifar10' is built by cifar10; allowed: one built by"),
        ("datasets/colored_mnist/parent", "colored_mnist", "parent = 'colored_mnist' is built by colored_mnist"),
        ("datasets/colored_mnist/parent", None, "key 'parent' is missing; allowed: a data set built by mnist"),
        ("datasets/colored_mnist/parent", "mnits", "datasets.colored_mnist.parent: 'mnits' is unknown; allowed: "),
        ("datasets/colored_mnist/parents", {"a": "mnist"}, "it has 'parent' and 'parents'; allowed: one of them"),
        ("datasets/nli_features/parents/encoder", None, "key 'parents.encoder' is missing; allowed: .*encoder_weights"),
        ("datasets/nli_features/parents/encodr", "text_encoder", "'encodr' is unknown; allowed: encoder, samples"),
        ("datasets/mnist/config/source", "mnist_folder", "data_dir: None, but datasets.mnist is read from a folder"),
        ("figures/fig_31/topic", "spectra", "figures.fig_31.topic = 'spectra'; allowed: theory"),
        ("figures/fig_01/experiments", ["colored"], "figures.fig_01.experiments: 'colored' is unknown; allowed: "),
        ("figures/fig_01/experiments", ["controls"], "figures.fig_01.experiments: 'controls' is unknown; allowed: "),
        ("figures/fig_01/experiments", [], r"fig_01.experiments = \[\]; allowed: at least one"),
        ("figures/fig_01/experiments", ["colored_mnist"] * 2, "fig_01.experiments: 'colored_mnist' is there twice"),
        ("figures/fig_01/theory", ["colored_mnist"], "figures.fig_01.theory: 'colored_mnist' is unknown; allowed: "),
        ("figures/fig_01/datasets", None, "figures.fig_01: key 'datasets' is missing .notebooks/fig_01"),
        ("figures/fig_01/settings", True, "figures.fig_01.settings: .* takes no parameter 'settings'; allowed: "),
        ("figures/fig_01/parameters/level", "abc", "parameters.level = 'abc'; allowed: a number above 0 below 1"),
        ("figures/fig_01/parameters/level", NAN, "parameters.level = nan; allowed: a number above 0 below 1"),
        ("figures/fig_01/parameters/levl", 1, "parameters.levl: .* takes no parameter 'levl'; allowed: .*level"),
        ("figures/fig_99", {"slug": "x", "title": "x", "experiments": ["colored_mnist"]}, "no notebook fig_99_x.ipynb"),
        ("figures/figure_1", {"slug": "x"}, "name 'figure_1' is not allowed; names must match"),
        ("card/against", ["soap"], "card.against: 'soap' is unknown; allowed: "),
        ("card/experiments/population_linear", {"label": "x", "majority": ["a"], "minority": ["b"]},
         "card.experiments: 'population_linear' is unknown; allowed: .*colored_mnist"),
        ("card/experiments/colored_mnist/majority", [], "card.experiments.colored_mnist.majority = "),
    ],
)  # fmt: skip
def test_mistakes_are_named(path, value, message):
    refused(path, value, message)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (f"{COLORED}/augment", {"flip": True}, "unknown key 'augment'; allowed: .*task stacked_classification"),
        (f"{COLORED}/mixture", {"k": 3}, "unknown key 'mixture'; allowed: .*task stacked_classification"),
        (f"{COLORED}/metrics", ["deviation"], "metrics"),
        (f"{COLORED}/model/name", "mpl", "model.name: model 'mpl' is unknown; allowed: .*mlp"),
        (f"{COLORED}/model/hidden", [], "model.hidden"),
        (f"{COLORED}/model/hidden", [16.0], "model.hidden"),
        (f"{COLORED}/model/layers", 3, "model: unknown key 'layers'; allowed: hidden"),
        ("experiments/population_linear/mixture/p", [0.5, 0.3, 0.3], "k = 3 numbers that sum to 1"),
        ("experiments/population_linear/mixture/d", 2, "mixture: d = 2; allowed: .*k = 3"),
        ("experiments/population_linear/mixture/mu", NAN, "mixture.mu = nan"),
        ("experiments/population_linear/theory/curves", ["gdd"], "theory.curves"),
        ("experiments/deep_gd/variants/low_snr_1/mixture", {"q": 1}, "low_snr_1.mixture: unknown key 'q'; allowed: d"),
        ("experiments/deep_gd/variants/low_snr_1/mixture/sigma2", -1, "low_snr_1.mixture.sigma2 = -1"),
        ("experiments/deep_gd/variants/low_snr_1/model/layers", 0, "low_snr_1.model.layers = 0"),
        (f"{CIFAR}/decode", {"resamples": 2}, "unknown key 'decode'; allowed: .*task minibatch_classification"),
        (f"{CIFAR}/logit_share", NAN, "logit_share = nan"),
        ("datasets/colored_mnist/config/resolution", 14.0, "datasets.colored_mnist.config.resolution = 14.0"),
        ("datasets/colored_mnist/config/repetition", 3, "config: unknown key 'repetition'; allowed: .*repetitions"),
        ("datasets/mnist/config/source", ["x"], "datasets.mnist.config.source"),
        ("experiments/controls/theory/config/point", 3, "theory.config: unknown key 'point'; allowed: .*points"),
    ],
)  # fmt: skip
def test_what_tasks_models_builders_and_tables_read_is_checked(path, value, message):
    refused(path, value, message)


def test_an_unknown_scale_is_named():
    with pytest.raises(UserError, match="'tiny'.* allowed: smoke, laptop, reference, paper"):
        planned(scale="tiny")


def test_a_circle_of_parents_is_named():
    plan = planned()
    plan.datasets["mnist"] = plan.datasets["colored_mnist"].model_copy(update={"parent": "colored_mnist"})
    plan.datasets["colored_mnist"] = plan.datasets["colored_mnist"].model_copy(update={"parent": "mnist"})
    with pytest.raises(UserError, match="datasets.mnist.parent: mnist would be made from itself"):
        checks._check_ancestors(plan, "mnist")


def test_frozen_hyperparameters_are_those_of_another_experiment():
    training = plan_of("laptop").training
    frozen = training["cifar10_r10"]
    assert list(frozen.sweep) == frozen.optimizers == ["nmd", "signum", "muon"]
    assert frozen.sweep["muon"] == training["cifar10_r20"].sweep["muon"]
    for key, value, message in (
        ("frozen_from", "cifar10_r5", "frozen_from: 'cifar10_r5' is unknown"),
        ("optimizers", ["sgd"], "optimizers: 'sgd' is unknown; allowed: adam, muon, nmd, signum"),
        ("sweep", {"muon": {"lr": ["0.1"]}}, "it takes the selection of cifar10_r20"),
    ):
        refused(f"experiments/cifar10_r10/{key}", value, message)


def test_null_leaves_something_out():
    assert "nmd" not in planned(at(f"{COLORED}/sweep/nmd", None)).training["colored_mnist"].sweep


def test_cells_are_all_combinations():
    grid = cells({"lr": ["0.1", "0.2"], "momentum": ["0", "0.9"]})
    assert [tuple(cell.values()) for cell in grid] == [("0.1", "0"), ("0.1", "0.9"), ("0.2", "0"), ("0.2", "0.9")]


def test_a_mistake_is_named_with_its_file_and_line():
    class Places:
        def of(self, path):
            return {"device": "a.yaml, line 7", "experiments.colored_mnist.stepss": "b.yaml, line 8"}.get(path, "")

    for change, message in (
        ({"device": "tpu"}, "^a.yaml, line 7: device = 'tpu'; allowed: cpu, cuda$"),
        (at(f"{COLORED}/stepss", 0), "^b.yaml, line 8: experiments.colored_mnist: unknown key 'stepss'; allowed: "),
        ({"devise": "cpu"}, "^config: devise: unknown key 'devise'; allowed: "),
    ):
        loaded = load(ROOT, {"scale": "laptop"} | change, [])
        object.__setattr__(loaded, "places", Places())
        with pytest.raises(UserError, match=message):
            Plan.of(ROOT, loaded)


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("README.md", "figures_dir = 'README.md': nothing can be written there .*README.md is a file"),
        ("/proc/nope", "figures_dir = '/proc/nope': nothing can be written there"),
        ("my figures", "figures_dir = 'my figures'; allowed: a folder without spaces"),
        ("a\nb", "figures_dir = .*; allowed: a folder without spaces"),
    ],
)
def test_folders_that_cannot_be_written(folder, message):
    with pytest.raises(UserError, match=message):
        checks.writable(planned({"figures_dir": folder}))


def test_a_folder_that_is_not_there_yet_can_be_written(tmp_path):
    checks.writable(planned({"figures_dir": str(tmp_path / "a" / "b")}))
    assert not (tmp_path / "a").exists() and not os.listdir(tmp_path)


def test_stand_ins_are_an_error_when_real_data_is_required():
    with pytest.raises(UserError, match="require_real: .*fig_09: tales stands in for TinyStories.*scale: paper"):
        planned({"require_real": True})
    others = {name: None for name in planned().figures if name not in ("fig_01", "fig_02")}
    planned({"require_real": True, "figures": others})
    with pytest.raises(UserError, match=r"data: fig_01: mnist stands in for MNIST\. Allowed"):
        planned({"require_real": True, "figures": others} | at("datasets/mnist/stand_in_for", "MNIST"))  # a parent


def test_stand_ins_are_named_by_what_they_replace():
    found = stand_ins(plan_of("laptop"))
    text = {"toynli": "MultiNLI", "MiniLM-L6": "BERT-base"}
    pictures = {"skygroups": "CelebA", "EfficientNet-Lite0": "an ImageNet ResNet"}
    assert found["fig_08"] == text | pictures
    assert (found["fig_23"], found["fig_24"]) == (text, pictures)
    assert found["fig_19"] == {"digit_pairs": "CIFAR-100"}
    assert found["fig_28"] == {"toystories": "TinyStories"}
    assert not {"fig_01", "fig_07", "fig_18"} & set(found)
    assert stand_ins(plan_of("paper")) == {}
