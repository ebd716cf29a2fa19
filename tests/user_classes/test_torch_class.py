"""Any torch.optim.Optimizer in the training loop: as if used directly, exact after a pause, and its mistakes named."""

import re
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.progress import Progress
from muon_imbalance.optimizers.base.protocol import Optimizer
from muon_imbalance.optimizers.torch_bridge import torch_class, torch_state, user_code
from muon_imbalance.plan.job import Job, Length
from muon_imbalance.stages import check_class, train
from muon_imbalance.training import engine
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.task import Task

from . import sample_optimizers

HERE = Path(__file__).parent
MODULE = "tests.user_classes.sample_optimizers"
VERSION = f"torch {metadata.version('torch')}"
MIXTURE = {"k": 3, "d": 4, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}


@pytest.fixture(autouse=True)
def denormal_numbers_again():
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def project_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE.parents[1]))


def job(cls="Heavy", **changes):
    described = {
        "experiment": "linear", "optimizer": "mine", "phase": "final", "task": "population", "rule": "",
        "own": {"class": f"{MODULE}:{cls}"}, "cells": [{"lr": "0.05"}], "seeds": [0, 1], "steps": 20,
        "record": {"every": 5}, "settings": {"mixture": MIXTURE, "metrics": []}, "stack": 10, "dtype": "float64",
    }  # fmt: skip
    return Job(**(described | changes))


def run(job, folder):
    with Checkpoints(folder, train.identity(job, None)) as checkpoints:
        return train.run_job(job, None, [], checkpoints).to_pandas()


def build(spec, hyper=None, cell=None, **keys):
    return torch_class.build("mine", {"class": spec} | keys, hyper or {}, {"lr": "0.05"} | (cell or {}))


def descend(optimizer, steps=8, vectors=True):
    params, gradients = torch_class.small_problem(vectors)
    state = optimizer.init(params)
    for _ in range(steps):
        params, state = optimizer.step(params, gradients(params), state)
    return params, state


@pytest.mark.parametrize(
    ("spec", "hyper"),
    [
        (f"{MODULE}:Heavy", {"betas": [0.8, 0.5]}),
        ("torch.optim:AdamW", {"betas": [0.9, 0.99]}),
        ("torch.optim:SGD", {}),
    ],
)
def test_it_is_the_class_used_directly(spec, hyper):
    """The same numbers as ordinary modules with autograd, bit for bit."""
    start, gradients = torch_class.small_problem(True)
    module = [torch.nn.Parameter(value[0].clone()) for value in start.values()]
    cls = torch_class.load("mine", {"class": spec})
    direct = cls(module, lr=0.05, **{key: tuple(value) for key, value in hyper.items()})
    for _ in range(8):
        grads = gradients({name: param.detach()[None] for name, param in zip(start, module, strict=True)})
        for param, grad in zip(module, grads.values(), strict=True):
            param.grad = grad[0].clone()
        direct.step()
    params, _ = descend(build(spec, hyper))
    assert all(torch.equal(value[0], param) for value, param in zip(params.values(), module, strict=True))


def test_gradients_of_the_caller_are_not_touched():
    optimizer = build(f"{MODULE}:Heavy")
    params, gradients = torch_class.small_problem(True)
    grads = gradients(params)
    before = {name: grad.clone() for name, grad in grads.items()}
    optimizer.step(params, grads, optimizer.init(params))
    assert all(torch.equal(grads[name], before[name]) for name in grads)


def test_parameters_that_the_loop_replaced_are_taken_up():
    optimizer = build("torch.optim:SGD")
    params, _ = torch_class.small_problem(True)
    state = optimizer.init(params)
    fresh = {name: torch.ones_like(value) for name, value in params.items()}
    new, _ = optimizer.step(fresh, {name: torch.zeros_like(value) for name, value in params.items()}, state)
    assert all(torch.equal(new[name], fresh[name]) for name in new)


def test_a_stack_is_refused():
    params, _ = torch_class.small_problem(True)
    with pytest.raises(UserError, match="trains one model at a time, not a stack"):
        build("torch.optim:SGD").init({name: torch.cat([value, value]) for name, value in params.items()})


@pytest.mark.parametrize("cls", ["Heavy", "Noisy", "Unstorable", "Forgetful", "Matrices"])
def test_which_classes_can_be_paused(cls):
    assert build(f"{MODULE}:{cls}").resumable is (cls not in ("Unstorable", "Forgetful"))


def test_a_state_of_many_kinds_survives():
    tree = {"a": [1, 2.5, None, True, "x", (1, torch.arange(3))], 7: {"b": torch.ones(2, dtype=torch.float64)}}
    again = torch_state.unpack(torch_state.pack(tree), torch.device("cpu"))
    assert (
        again["a"][:5] == tree["a"][:5]
        and type(again["a"][5]) is tuple
        and torch.equal(again["a"][5][1], torch.arange(3))
    )
    assert again[7]["b"].dtype == torch.float64
    with pytest.raises(torch_state.Unstorable, match="it holds a object"):
        torch_state.pack({"a": object()})


class Interrupted(Exception):
    pass


@pytest.mark.parametrize(("cls", "message"), [("Heavy", "going on at step 7"), ("Unstorable", "from the beginning")])
def test_an_interrupted_training_ends_with_the_same_numbers(cls, message, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    whole = run(job(cls, checkpoint_seconds=0), tmp_path / "whole")
    update, calls = Progress.update, []

    def stop(self, n=1):
        calls.append(n)
        if len(calls) == 8:
            raise Interrupted
        update(self, n)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "update", stop)
        with pytest.raises(Interrupted):
            run(job(cls, checkpoint_seconds=0), tmp_path / "again")
    frame = run(job(cls, checkpoint_seconds=0), tmp_path / "again")
    np.testing.assert_array_equal(frame["value"], whole["value"])
    assert message in caplog.text


def test_a_checkpoint_that_forgets_a_step_would_be_noticed(monkeypatch):
    """The trial bites: without the attributes of the optimizer the numbers differ."""
    monkeypatch.setattr(torch_state, "_attributes", lambda optimizer: {})
    assert not build(f"{MODULE}:Heavy").resumable


@pytest.mark.parametrize(
    ("spec", "keys", "message"),
    [
        ("nowhere.at_all:Thing", {}, "'nowhere.at_all:Thing' cannot be imported: ModuleNotFound.*name its folder"),
        (f"{MODULE}:Nothing", {}, f"module {MODULE} has no attribute 'Nothing'"),
        (f"{MODULE}:not_a_class", {}, "is not a subclass of torch.optim.Optimizer"),
        ("collections:OrderedDict", {}, "is not a subclass of torch.optim.Optimizer"),
        (f"{MODULE}:WithoutStep", {}, "has no method 'step' of its own"),
        (f"{MODULE}:Matrices", {}, "its constructor refused: ValueError: 2-D parameters only .*only_matrices: true"),
        (f"{MODULE}:Failing", {}, "step 2 failed: RuntimeError: two is too many"),
        ("torch.optim:LBFGS", {}, "step 1 failed: TypeError.*closure"),
        (f"{MODULE}:Heavy", {"hyper": {"beta": 1}}, "no argument 'beta'; allowed: betas, every, lr, weight_decay"),
        (f"{MODULE}:Heavy", {"grid": {"lr": ["1"], "momentum": ["0"]}}, "Heavy has no argument 'momentum'; allowed: "),
        (f"{MODULE}:Heavy", {"grid": {"lr": ["1"], "betas": ["0.9"]}}, "betas: '0.9' is not allowed; allowed: 2 num"),
    ],
)  # fmt: skip
def test_mistakes_name_the_optimizer_before_training(spec, keys, message):
    case = {"experiment": "x", "hyper": {}, "grid": {"lr": ["0.1"]}, "dtype": "float32", "vectors": True} | keys
    with pytest.raises(UserError, match=f"optimizer mine: .*{message}|optimizer mine: {message}"):
        check_class.record("mine", {"class": spec}, [case])


def test_the_record_of_the_trial():
    case = {"experiment": "x", "hyper": {}, "grid": {"lr": ["0.1", "0.2"]}, "dtype": "float64", "vectors": True}
    found = check_class.record("mine", {"class": f"{MODULE}:Heavy"}, [case])
    assert found["resumable"] is True and found["arguments"]["betas"] == "(0.9, 0.5)" and found["version"] == ""
    assert check_class.record("mine", {"class": "torch.optim:AdamW"}, [case])["version"] == VERSION


def test_matrices_only_leaves_vectors_to_adam():
    params, _ = descend(build(f"{MODULE}:Matrices", only_matrices=True))
    alone, _ = descend(build(f"{MODULE}:Matrices"), vectors=False)
    assert params["0.bias"].shape == (1, 5) and all(torch.equal(params[name], alone[name]) for name in alone)
    vectors = torch_class.adam(lr=0.05, betas=(0.9, 0.95), eps=1e-10)
    start, gradients = torch_class.small_problem(True)
    biases = {name: value for name, value in start.items() if "bias" in name}
    state = vectors.init(biases)
    for _ in range(8):
        biases, state = vectors.step(biases, {n: g for n, g in gradients(start | biases).items() if n in biases}, state)
    assert all(torch.equal(params[name], biases[name]) for name in biases)
    assert build(f"{MODULE}:Matrices", only_matrices=True).resumable


def test_numbers_that_overflow_are_a_row_that_says_so(tmp_path, caplog):
    caplog.set_level("INFO")
    frame = run(job("Exploding"), tmp_path / "a")
    assert frame["diverged"].any() and frame[frame["diverged"]]["value"].isna().all()
    assert "step 1 failed" in caplog.text and "counts as diverged" in caplog.text
    frame = run(job("Heavy", cells=[{"lr": "1e200"}]), tmp_path / "b")
    assert frame["diverged"].any() and not frame[frame["step"] == 0]["diverged"].any()


def test_a_frozen_model_is_not_stepped(tmp_path):
    """After divergence the class is left alone: it might fail on what it holds."""

    class Dies(Task):
        def __init__(self):
            pass

        def prepare(self):
            pass

        def init(self):
            return {"w": torch.zeros(1, 2, 2)}

        def gradients(self, params, measure):
            return torch.full((1,), torch.nan), {"w": torch.ones(1, 2, 2)}, {}

        def evaluate(self, params):
            return {("test", "all", "x"): torch.zeros(1)}

    class Never(Optimizer):
        def init(self, params):
            return {}

        def step(self, *_):
            raise AssertionError

    history = engine.train(
        Dies(), Never(), Length(3, 1, [0, 3]), engine.Saves(Checkpoints(tmp_path, "k"), "x", 100), Progress("x", 3)
    )
    assert history.died.tolist() == [0]


def test_runs_of_a_class_are_never_stacked_and_repeat_exactly(tmp_path):
    described = job("Noisy")
    assert [len(stack) for stack in train.stacks(described, described.runs())] == [1, 1]
    one, two = run(described, tmp_path / "a"), run(described, tmp_path / "b")
    np.testing.assert_array_equal(one["value"], two["value"])


def test_files_and_version_of_a_class(tmp_path, monkeypatch):
    for name, text in {"__init__": "", "a": "from mypack.b import x\n", "b": "x = 1\n", "c": "y = 1\n"}.items():
        (tmp_path / "mypack").mkdir(exist_ok=True)
        (tmp_path / "mypack" / f"{name}.py").write_text(text)
    files, version = user_code.origin("mypack.a:Thing", str(tmp_path))
    assert {file.name for file in files} == {"__init__.py", "a.py", "b.py"} and version == ""
    assert user_code.origin("mypackage:Thing", str(tmp_path)) == ([], "not found")
    files, version = user_code.origin("torch.optim:Adam")
    assert version == VERSION and [file.parent.name for file in files] == ["optim"]
    (tmp_path / "mypack-2.0.dist-info").mkdir()
    (tmp_path / "mypack-2.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: mypack\nVersion: 2.0\n")
    assert user_code.origin("mypack.a:Thing", str(tmp_path))[1] == "mypack 2.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"import torch\nclass Mine(torch.optim.Optimizer)\n    pass\n", r"mine\.py, line 2: expected ':'"),
        (b"name = '\xe9'\n", r"mine\.py is not UTF-8"),
    ],
)
def test_a_broken_source_is_named_with_its_line(text, message, tmp_path):
    (tmp_path / "mine.py").write_bytes(text)
    with pytest.raises(UserError, match=f"optimizer x: class 'mine:Mine' cannot be read: .*{message}"):
        user_code.check_syntax("x", "mine:Mine", str(tmp_path))
    (tmp_path / "mine.py").write_text("x = 1\n")
    user_code.check_syntax("x", "mine:Mine", str(tmp_path))
    user_code.check_syntax("x", "torch.optim:Adam")


def test_a_broken_neighbour_is_named_as_well(tmp_path):
    (tmp_path / "mypack").mkdir()
    for name, text in {"__init__": "", "a": "from mypack.b import x\n", "b": "def (:\n"}.items():
        (tmp_path / "mypack" / f"{name}.py").write_text(text)
    with pytest.raises(UserError, match=r"b\.py, line 1"):
        user_code.check_syntax("x", "mypack.a:Thing", str(tmp_path))


def test_looking_for_a_class_does_not_import_it():
    assert user_code.origin("tests.user_classes.imported_by_nobody:X", str(HERE.parents[1]))[0]
    assert "tests.user_classes.imported_by_nobody" not in sys.modules


def test_checkpoints_belong_to_the_code_of_the_class(tmp_path, monkeypatch):
    source = (HERE / "sample_optimizers.py").read_text()
    (tmp_path / "copied.py").write_text(source)
    described = job(own={"class": "copied:Heavy", "path": str(tmp_path)})
    before = train.identity(described, None)
    assert before == train.identity(described, None)
    (tmp_path / "copied.py").write_text(re.sub("0.01 \\* self.seen", "0.02 * self.seen", source))
    assert train.identity(described, None) != before
    assert sample_optimizers.Heavy
