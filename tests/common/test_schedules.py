"""Learning-rate schedules against PyTorch's, resuming, and learning rates of variants."""

import numpy as np
import pytest
import torch

from muon_imbalance.common import schedules
from muon_imbalance.common.errors import UserError
from muon_imbalance.optimizers import registry
from muon_imbalance.optimizers.base.scheduled import Scheduled
from muon_imbalance.plan.job import Job, Length
from muon_imbalance.stages.train import make_optimizer
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.engine import Saves, train
from muon_imbalance.training.task import Task

STEPS = 10


class Silent:
    label = "test"

    def update(self):
        pass

    def skip(self, steps):
        pass


class Bowl(Task):
    """``1/2 ||w||^2`` from ones; can be interrupted."""

    def __init__(self, interrupt_at=None):
        self.interrupt_at, self.calls = interrupt_at, 0

    def prepare(self):
        pass

    def init(self):
        return {"w": torch.ones(2, 3, 2, dtype=torch.float64)}

    def gradients(self, params, measure):
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        self.calls += 1
        size = params["w"].square().sum((1, 2))
        return size / 2, dict(params), {("train", "all", "loss"): size / 2}

    def evaluate(self, params):
        return {}


def job(**changes):
    described = {"experiment": "e", "optimizer": "gd", "phase": "final", "task": "population", "rule": "gd"}
    described |= {"cells": [{"lr": "0.1"}], "seeds": [0, 1], "steps": STEPS, "record": {"every": 1}}
    return Job(**(described | changes))


def optimizer(schedule, **changes):
    made = job(schedule=schedule, settings={"mixture": {"k": 2, "d": 2}}, **changes)
    return make_optimizer(made, made.runs())


def history(made, folder, task=None, every=1e9):
    with Checkpoints(folder, "key") as checkpoints:
        saves, plan = Saves(checkpoints, "s", every), Length(STEPS, 1, list(range(STEPS + 1)))
        return train(task or Bowl(), made, plan, saves, Silent()).values[:, 0]


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_gd_follows_the_schedulers_of_pytorch(schedule, broken, tmp_path):
    """``broken``: the schedule is one step ahead."""
    weight = torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64))
    sgd = torch.optim.SGD([weight], lr=0.1)
    scheduler = {
        "linear": lambda: torch.optim.lr_scheduler.LinearLR(sgd, 1.0, 0.0, STEPS),
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(sgd, STEPS),
    }[schedule]()
    expected = []
    for _ in range(STEPS + 1):
        expected.append(float(weight.detach().square().sum() / 2))
        weight.grad = weight.detach().clone()
        sgd.step()
        scheduler.step()
    made = optimizer(schedule)
    if broken:
        made.init = lambda params: {"schedule/step": torch.ones((), dtype=torch.int64)}
    found = history(made, tmp_path)
    assert np.allclose(found[:, 0], expected, rtol=1e-12) != broken


def test_a_constant_schedule_is_the_optimizer_itself(tmp_path):
    assert not isinstance(optimizer("constant"), Scheduled)
    always = Scheduled(lambda factor: registry.build("gd", lr=0.1 * factor), "constant", STEPS)
    found, expected = history(always, tmp_path / "a"), history(optimizer("constant"), tmp_path / "b")
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_resuming_goes_on_with_the_schedule(tmp_path):
    options = {"rule": "lion_k", "hyper": {"weight_decay": 0.5}}
    whole = history(optimizer("cosine", **options), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        history(optimizer("cosine", **options), tmp_path / "cut", Bowl(interrupt_at=6), every=0)
    np.testing.assert_array_equal(history(optimizer("cosine", **options), tmp_path / "cut"), whole)


def test_factors():
    assert [schedules.factor("linear", t, 4) for t in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    assert [schedules.factor("cosine", t, 2) for t in range(3)] == pytest.approx([1, 0.5, 0])
    assert schedules.factor("constant", 3, 4) == 1
    with pytest.raises(UserError, match="schedule is 'warm'; allowed: constant, linear, cosine"):
        job(schedule="warm")


def test_variants_may_have_their_own_learning_rate():
    made = job(variants={"a": {"lr": "0.3"}, "b": {}}, settings={"mixture": {"k": 2, "d": 2}})
    assert [(run.variant, run.cell["lr"]) for run in made.runs()] == [("a", "0.3")] * 2 + [("b", "0.1")] * 2
    assert made.details(made.runs()[0]) == '{"variant": "a"}'
    together = make_optimizer(made, made.runs())
    params = {"w": torch.ones(4, 2, 2, dtype=torch.float64)}
    new, _ = together.step(params, params, together.init(params))
    assert new["w"][:, 0, 0].tolist() == pytest.approx([0.7, 0.7, 0.9, 0.9])


def test_a_hyperparameter_is_not_given_twice():
    made = job(hyper={"lr": 0.2})
    with pytest.raises(TypeError, match="lr"):
        make_optimizer(made, made.runs())
