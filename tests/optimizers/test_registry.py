"""Names, lazy imports, messages for mistakes, and a new optimizer by one file."""

import json
import re
import subprocess
import sys

import pytest
import torch

from muon_imbalance import optimizers
from muon_imbalance.common import closure
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.optimizers import registry

from . import checks
from .package_copies import SOURCE, copied

NAMES = ["adam", "gd", "lion_k", "muon", "muon_exact", "muon_ns1", "muon_on", "ngd", "nmd", "random_spectrum"] + [
    *("row_normalised", "sgd", "shampoo", "signgd", "signum", "specgd", "spectral_power"),
]


def in_new_process(code):
    """What `code` prints, as JSON."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r})\n{code}"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_names_are_sorted_and_complete():
    assert optimizers.names() == NAMES
    assert {"build", "names"} <= set(dir(optimizers))


def test_names_do_not_import_torch():
    code = "import json; from muon_imbalance import optimizers\nn = optimizers.names()\n"
    code += "from muon_imbalance.optimizers import registry; registry.modules('muon')\n"
    code += "print(json.dumps([n, 'torch' in sys.modules, 'numpy' in sys.modules]))"
    assert in_new_process(code) == [NAMES, False, False]


@pytest.mark.parametrize("name", ["gd", "nmd", "muon", "shampoo", "lion_k"])
def test_modules_lead_to_all_that_is_imported(name):
    code = f"import json; from muon_imbalance import optimizers; optimizers.build({name!r})\n"
    code += "print(json.dumps([m for m in sys.modules if m.startswith('muon_imbalance')]))"
    files = set(closure.closure("muon_imbalance.optimizers.registry", *registry.modules(name)))
    assert {closure.module_file(module) for module in in_new_process(code)} == files


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        optimizers.nothing  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_have_defaults_and_can_be_given(name):
    defaults = registry.defaults(name)
    assert {"lr", "weight_decay"} <= set(defaults)
    assert defaults["weight_decay"] == 0
    optimizers.build(name, **defaults)


@pytest.mark.parametrize(
    ("name", "hyper", "message"),
    [
        ("mun", {}, f"optimizer 'mun' is unknown; allowed: {', '.join(NAMES)}"),
        (
            "ngd",
            {"momentum": 0.9},
            "optimizer ngd: unknown hyperparameter momentum = 0.9; allowed: lr, weight_decay",
        ),
        (
            "muon_ns1",
            {"ns_steps": 5},
            "optimizer muon_ns1: unknown hyperparameter ns_steps = 5; allowed: lr, momentum",
        ),
        ("gd", {"lr": -0.1}, "optimizer gd: lr = -0.1, allowed: a finite number >= 0"),
        ("gd", {"lr": float("nan")}, "lr = nan, allowed: a finite number >= 0"),
        ("gd", {"lr": float("inf")}, "lr = inf, allowed: a finite number >= 0"),
        ("gd", {"lr": "0.1"}, "lr = '0.1', allowed: a number, or a tensor [S] with one number per model"),
        ("gd", {"lr": True}, "lr = True, allowed: a number"),
        ("gd", {"lr": torch.zeros(2, 2)}, "allowed: a number, or a tensor [S]"),
        ("gd", {"lr": torch.zeros(0)}, "allowed: a number, or a tensor [S]"),
        ("gd", {"lr": torch.tensor([0.5, -0.5])}, "lr = [0.5, -0.5], allowed: a finite number >= 0"),
        ("nmd", {"momentum": 1.0}, "optimizer nmd: momentum = 1.0, allowed: 0 <= momentum < 1"),
        ("nmd", {"momentum": -0.1}, "momentum = -0.1, allowed: 0 <= momentum < 1"),
        ("sgd", {"momentum": 1.5}, "momentum = 1.5, allowed: 0 <= momentum < 1"),
        ("sgd", {"nesterov": 1}, "nesterov = 1, allowed: true or false"),
        ("sgd", {"weight_decay": -1}, "weight_decay = -1, allowed: a finite number >= 0"),
        ("adam", {"betas": 0.9}, "betas = 0.9, allowed: a pair (beta1, beta2) or a tensor [S, 2]"),
        ("adam", {"betas": (0.9, 1.0)}, "betas[1] = 1.0, allowed: 0 <= betas[1] < 1"),
        ("adam", {"betas": torch.zeros(5)}, "allowed: a pair (beta1, beta2) or a tensor [S, 2]"),
        ("adam", {"eps": -1e-8}, "eps = -1e-08, allowed: a finite number >= 0"),
        ("muon", {"ns_steps": 0}, "optimizer muon: ns_steps = 0, allowed: a whole number from 1 to 99"),
        ("muon", {"ns_steps": 2.5}, "ns_steps = 2.5, allowed: a whole number from 1 to 99"),
        ("muon", {"polar": "svd"}, "polar = 'svd', allowed: newton_schulz, polar_express, exact"),
        ("muon_exact", {"scale": 1}, "optimizer muon_exact: scale = 1, allowed: original, kernel, none"),
        ("muon", {"momentum": 1}, "momentum = 1, allowed: 0 <= momentum < 1"),
        ("muon", {"beta2": 1}, "beta2 = 1, allowed: 0 <= beta2 < 1"),
        ("shampoo", {"betas": (0.9, 1.5)}, "optimizer shampoo: betas[1] = 1.5, allowed: 0 <= betas[1] <= 1"),
        ("shampoo", {"betas": (1.0, 1.0)}, "betas[0] = 1.0, allowed: 0 <= betas[0] < 1"),
        ("shampoo", {"epsilon": -1.0}, "epsilon = -1.0, allowed: a finite number >= 0"),
        ("shampoo", {"precondition_frequency": 0}, "precondition_frequency = 0, allowed: a whole number from 1"),
        ("shampoo", {"max_preconditioner_dim": 1.5}, "max_preconditioner_dim = 1.5, allowed: a whole number from 1"),
        ("shampoo", {"grafting": "rmsprop"}, "grafting = 'rmsprop', allowed: none, sgd, adam"),
        ("shampoo", {"bias_correction": 1}, "bias_correction = 1, allowed: true or false"),
        ("lion_k", {"K": "spectral"}, "optimizer lion_k: K = 'spectral', allowed: l1, frobenius, nuclear, ky_fan"),
        ("lion_k", {"K": "ky_fan", "k": 0}, "k = 0, allowed: a whole number from 1"),
        ("lion_k", {"betas": 0.9}, "betas = 0.9, allowed: a pair (beta1, beta2) or a tensor [S, 2]"),
    ],
)
def test_mistakes_are_told_with_key_value_and_what_is_allowed(name, hyper, message):
    with pytest.raises(UserError, match=re.escape(message)):
        optimizers.build(name, **hyper)


def test_betas_can_be_a_list_as_json_gives_it():
    params, grads = checks.draw()
    histories = [
        checks.run(optimizers.build("adam", betas=betas), params, grads)[0]
        for betas in ([0.8, 0.9], (0.8, 0.9), torch.tensor([[0.8, 0.9]] * 3, dtype=torch.float64))
    ]
    for other in histories[1:]:
        for key in params:
            checks.close(other[-1][key], histories[0][-1][key], checks.ROUNDINGS, key)


HALF_GD = '''"""Half of gradient descent: W <- W - lr G / 2."""

from muon_imbalance.optimizers.base.hyperparameter_types import Decay, Rate
from muon_imbalance.optimizers.base.hyperparameters import rule
from muon_imbalance.optimizers.sgd import Sgd


@rule
def halfgd(*, lr: Rate = 0.1, weight_decay: Decay = 0.0) -> Sgd:
    """Half a step."""
    return Sgd(lr / 2, None, weight_decay)
'''


def test_a_new_optimizer_is_one_file(tmp_path, monkeypatch):
    copy = copied(tmp_path, monkeypatch, files={"halfgd.py": HALF_GD})("registry")
    assert copy.names() == sorted([*NAMES, "halfgd"])
    assert copy.defaults("halfgd") == {"lr": 0.1, "weight_decay": 0.0}
    params, grads = checks.draw(steps=1)
    half, _ = checks.run(copy.build("halfgd", lr=0.2), params, grads)
    full, _ = checks.run(optimizers.build("gd", lr=0.1), params, grads)
    assert all(torch.equal(half[0][key], full[0][key]) for key in params)


def test_the_documented_file_is_this_one():
    assert HALF_GD in (SOURCE.parents[1] / "docs/adding-an-optimizer.md").read_text(encoding="utf-8")


def test_a_name_offered_twice_is_refused(tmp_path, monkeypatch):
    second = "@rule\ndef gd(*, lr=1):\n    pass\n"
    copy = copied(tmp_path, monkeypatch, files={"second.py": second})("registry")
    with pytest.raises(ValueError, match=r"two optimizers are named gd: in .*\.second and .*\.sgd"):
        copy.names()


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_read_without_torch_and_say_what_the_signature_says(name):
    code = "import json; from muon_imbalance.optimizers import registry\n"
    code += f"fields = registry.options({name!r}).model_fields\n"
    code += "print(json.dumps([{k: [f.default, f.description] for k, f in fields.items()}, 'torch' in sys.modules]))"
    found, torch_imported = in_new_process(code)
    assert not torch_imported
    assert {key: default for key, (default, _) in found.items()} == json.loads(json.dumps(registry.defaults(name)))
    assert all(meaning for _, meaning in found.values())


@pytest.mark.parametrize(
    ("name", "hyper", "message"),
    [
        ("muon", {"lr": 0}, "here.lr = 0; allowed: a number above 0"),
        ("muon", {"lr": -0.1}, "here.lr = -0.1; allowed: a number above 0"),
        ("gd", {"lr": float("nan")}, "here.lr = nan; allowed: a number above 0"),
        ("gd", {"lr": float("inf")}, "here.lr = inf; allowed: a number above 0"),
        ("gd", {"lr": "0.1"}, "here.lr = '0.1'; allowed: a number above 0"),
        ("nmd", {"momentum": 1.5}, "here.momentum = 1.5; allowed: a number from 0 below 1"),
        ("muon", {"ns_steps": 2.0}, "here.ns_steps = 2.0; allowed: a whole number from 1 to 99"),
        ("shampoo", {"epsilon": -1}, "here.epsilon = -1; allowed: a number from 0"),
        ("lion_k", {"K": "l2"}, "here.K = 'l2'; allowed: l1, frobenius, nuclear, ky_fan"),
        ("muon", {"nesterov": 1}, "here.nesterov = 1; allowed: true or false"),
        ("muon", {"adam_on": "["}, "here.adam_on: '['; allowed: a regular expression"),
        ("muon", {"adam_lr": 0}, "here.adam_lr = 0; allowed: a number above 0 or null"),
        ("adam", {"betas": [0.9]}, "allowed: a list of 2: a number from 0 below 1, a number from 0 below 1"),
        ("adam", {"betas": [0.9, 1.0]}, "here.betas.1 = 1.0; allowed: a list of 2"),
        ("ngd", {"momentum": 0.9}, "here: unknown key 'momentum'; allowed: lr, weight_decay"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_built(name, hyper, message):
    with pytest.raises(UserError, match=re.escape(message)):
        checked(registry.options(name), hyper, "here")


def test_settings_take_pairs_as_lists_or_tuples():
    for pair in ([0.8, 1.0], (0.8, 1.0)):
        assert checked(registry.options("shampoo"), {"betas": pair}, "here").betas == (0.8, 1.0)
