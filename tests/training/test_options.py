"""What each task can be told: keys, ranges, metrics that it measures; all without torch."""

import subprocess
import sys

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.models import registry as models
from muon_imbalance.training import registry

MIXTURE = {"k": 3, "d": 4, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}
PICTURES = {"dataset": {"name": "d", "builder": "step_imbalance", "config": {}},
            "model": {"name": "resnet", "width": 8, "blocks": [1]}, "evaluate": ["test"]}  # fmt: skip
DIGITS = PICTURES | {"model": {"name": "mlp", "hidden": [8]}}
RIGHT = {
    "bilinear": {"dataset": PICTURES["dataset"], "model": {"name": "bilinear", "hidden": [4], "init_std": 0.01}},
    "stacked_classification": DIGITS,
    "decoding": PICTURES | {"evaluate": ["test", "validation"], "decode": {"resamples": 2}},
    "deep_linear": {"mixture": MIXTURE, "model": {"name": "deep_linear", "layers": 2, "delta": 4}},
    "fine_tuning_on_features": PICTURES,
    "fine_tuning": PICTURES | {"augment": {"flip": True}},
    "language": {"dataset": PICTURES["dataset"],
                 "model": {"name": "transformer", "layers": 1, "width": 8, "heads": 2, "feed_forward": 8}},
    "minibatch_classification": PICTURES | {"metrics": ["logit_kl"], "logit_share": 0.5},
    "population": {"mixture": MIXTURE, "labels": "one_hot"},
    "sample_moments": {"mixture": MIXTURE, "dataset": PICTURES["dataset"], "model": {"name": "linear", "init_std": 0}},
}  # fmt: skip


def chosen(task, **changes):
    return registry.chosen(task, RIGHT[task] | changes, "x")


@pytest.mark.parametrize("task", registry.TASKS.names())
def test_every_task_says_what_it_needs_and_refuses_keys_that_it_does_not_read(task):
    found = chosen(task)
    assert (found.dataset is None) != registry.needs(task).dataset
    assert (found.model is None) != bool(registry.needs(task).models)
    foreign = "decode" if task != "decoding" else "mixture"
    with pytest.raises(UserError, match=f"x: unknown key '{foreign}'; allowed: "):
        chosen(task, **{foreign: {"resamples": 2}})


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("population", {"mixture": MIXTURE | {"mu": float("nan")}}, "x.mixture.mu = nan; allowed: a number above 0"),
        ("population", {"mixture": MIXTURE | {"sigma2": float("inf")}}, "x.mixture.sigma2 = inf"),
        ("population", {"mixture": MIXTURE | {"d": 3.0}}, "x.mixture.d = 3.0; allowed: a whole number from 2 to"),
        ("population", {"mixture": MIXTURE | {"sigma2": -1}}, "x.mixture.sigma2 = -1"),
        ("population", {"mixture": MIXTURE | {"p": [0.5, 0.5]}}, "k = 3 numbers that sum to 1"),
        ("population", {"mixture": MIXTURE | {"d": 2}}, "d = 2; allowed: at least k = 3"),
        (
            "population",
            {"metrics": ["group_loss"]},
            "x.metrics.0 = 'group_loss'; allowed: a list of deviation or",
        ),
        ("deep_linear", {"model": {"layers": 0, "delta": 4}}, "x.model.layers = 0"),
        ("deep_linear", {"model": {"layers": 1, "delta": float("nan")}}, "x.model.delta = nan"),
        ("deep_linear", {"metrics": ["ball_max"]}, "allowed: a list of deviation"),
        ("bilinear", {"model": {"hidden": [4, 4], "init_std": 0.1}}, "x.model.hidden"),
        ("stacked_classification", {"metrics": ["deviation"]}, "x.metrics"),
        ("stacked_classification", {"metrics": None}, "x.metrics = None"),
        ("stacked_classification", {"pixel_range": [0, 0]}, "allowed: two different numbers"),
        ("stacked_classification", {"model": {"name": "mlp", "hidden": []}}, r"x.model.hidden = \[\]"),
        ("stacked_classification", {"model": {"name": "mlp", "hidden": [16.0]}}, "x.model.hidden.0 = 16.0"),
        ("stacked_classification", {"model": {"name": "mlp", "hidden": None}}, "x.model.hidden = None"),
        ("stacked_classification", {"model": {"name": "cnn"}}, "x.model: key 'channels' is missing"),
        ("stacked_classification", {"model": {"name": "mlp", "hidden": [4], "foo": 1}}, "x.model: unknown key 'foo'"),
        (
            "stacked_classification",
            {"model": {"name": "bilinear"}},
            "x.model.name: model 'bilinear' is unknown; allowed: cnn",
        ),
        (
            "stacked_classification",
            {"model": PICTURES["model"]},
            "x.model.name: model 'resnet' is unknown; allowed: cnn",
        ),
        ("stacked_classification", {"model": "mlp"}, "x.model = 'mlp'; allowed: a map with a name, one of cnn"),
        (
            "minibatch_classification",
            {"metrics": ["margin_max"]},
            "x.metrics.0 = 'margin_max'; allowed: a list of group_loss, logit_kl",
        ),
        (
            "minibatch_classification",
            {"logit_share": float("nan")},
            "x.logit_share = nan; allowed: a number above 0 to 1",
        ),
        ("minibatch_classification", {"augment": {"crop": 2.0}}, "x.augment.crop = 2.0"),
        ("minibatch_classification", {"pixel_range": [0, 1]}, "unknown key 'pixel_range'"),
        ("minibatch_classification", {"dataset": {"name": "d"}}, "x.dataset: key 'builder' is missing"),
        (
            "minibatch_classification",
            {"model": {"name": "efficientnet_lite", "begin": 99}},
            "begin = 99; allowed: 0 to 16",
        ),
        ("fine_tuning_on_features", {"metrics": ["logit_kl"]}, "x.metrics"),
        ("decoding", {"evaluate": ["test"]}, "allowed: both validation and test"),
        ("language", {"evaluate": ["test"]}, "x: unknown key 'evaluate'; allowed: clock_windows"),
    ],
)
def test_what_a_task_cannot_be_told(task, changes, message):
    with pytest.raises(UserError, match=message):
        chosen(task, **changes)


def test_missing_keys_are_named():
    for task, key in (
        ("minibatch_classification", "model"),
        ("minibatch_classification", "dataset"),
        ("decoding", "decode"),
        ("population", "mixture"),
    ):
        rest = {name: value for name, value in RIGHT[task].items() if name != key}
        with pytest.raises(UserError, match=f"x: key '{key}' is missing"):
            registry.chosen(task, rest, "x")


def test_nothing_of_torch_is_imported_to_check():
    code = (
        "import sys; from muon_imbalance.training import registry; from muon_imbalance.models import registry as m;"
        "[(registry.needs(t), registry.TASKS.options(t)) for t in registry.TASKS.names()];"
        "[m.MODELS.options(n) for n in m.MODELS.names()]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": "src", "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert done.stdout.strip() == "False"


def test_models_without_vectors_say_so():
    assert [name for name in models.MODELS.names() if not models.has_vectors(name)] == ["linear", "one_hidden"]
