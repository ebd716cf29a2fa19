"""The training loop: what is recorded, divergence, resume, one optimizer per model of the stack."""

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.progress import Progress
from muon_imbalance.optimizers import registry
from muon_imbalance.plan.job import Length
from muon_imbalance.training import engine
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.task import Task

STEPS, RECORDED = 20, [0, 1, 2, 3, 4, 8, 12, 16, 20]


class Quadratic(Task):
    """Loss ``c/2 ||w||^2`` of each model, started at ones; the curvature ``c`` decides who diverges under GD."""

    def __init__(self, curvature, interrupt_at=None):
        self.curvature = torch.tensor(curvature, dtype=torch.float64)
        self.interrupt_at, self.calls = interrupt_at, 0

    def prepare(self):
        pass

    def init(self):
        return {"w": torch.ones(len(self.curvature), 2, 3, dtype=torch.float64)}

    def gradients(self, params, measure):
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        self.calls += 1
        w = params["w"]
        loss = 0.5 * self.curvature * w.square().sum((1, 2))
        return loss, {"w": self.curvature[:, None, None] * w}, {("train", "all", "loss"): loss} if measure else {}

    def evaluate(self, params):
        return {("test", "all", "norm"): params["w"].norm(dim=(1, 2))}


def train(task, folder, rule="gd", lr=0.5, every=1e9, **hyper):
    optimizer = registry.build(rule, lr=lr, **hyper)
    with Checkpoints(folder, "key") as checkpoints:
        saves = engine.Saves(checkpoints, "stack_0", every)
        return engine.train(task, optimizer, Length(STEPS, 1, RECORDED), saves, Progress("test", STEPS))


def test_records_what_was_asked_for(tmp_path):
    history = train(Quadratic([1.0, 0.5]), tmp_path)
    assert history.steps == RECORDED
    assert history.keys == [("train", "all", "loss"), ("test", "all", "norm")]
    expected = 0.5 * 6 * (1 - 0.5) ** (2 * np.array(RECORDED))  # GD on c = 1 multiplies w by 1 - lr
    np.testing.assert_allclose(history.values[:, 0, 0], expected, rtol=1e-12)


def test_divergence_is_recorded_and_leaves_the_others_alone(tmp_path):
    alone = train(Quadratic([1.0]), tmp_path / "alone")
    history = train(Quadratic([1.0, 1e200]), tmp_path / "both")
    np.testing.assert_allclose(history.values[:, :, 0], alone.values[:, :, 0], rtol=1e-12)
    assert history.died[0] == -1
    died = history.died[1]
    assert 0 < died <= 3
    late = np.array(RECORDED) >= died
    assert np.isnan(history.values[late, :, 1]).all() and np.isfinite(history.values[~late, :, 1]).all()


def test_divergence_does_not_stop_exact_polar_factors(tmp_path):
    """An eigendecomposition of NaN raises; a dead model's gradient must be zero instead."""

    class Explodes(Quadratic):
        def gradients(self, params, measure):
            loss, grads, measured = super().gradients(params, measure)
            if self.calls > 5:
                grads["w"][1] = torch.nan
            return loss, grads, measured

    history = train(Explodes([1.0, 1.0]), tmp_path, rule="muon_exact", lr=0.01, momentum=0.9)
    assert history.died.tolist() == [-1, 5]
    assert np.isfinite(history.values[:, :, 0]).all()


@pytest.mark.parametrize("rule", ["muon", "adam", "sgd"])
def test_an_interrupted_run_resumes_to_the_same_numbers(tmp_path, rule):
    hyper = {"momentum": 0.9} if rule != "adam" else {}
    whole = train(Quadratic([1.0, 0.3]), tmp_path / "whole", rule, 0.05, **hyper)
    with pytest.raises(KeyboardInterrupt):
        train(Quadratic([1.0, 0.3], interrupt_at=11), tmp_path / "cut", rule, 0.05, every=0, **hyper)
    task = Quadratic([1.0, 0.3])
    resumed = train(task, tmp_path / "cut", rule, 0.05, every=0, **hyper)
    assert task.calls == STEPS + 1 - 11  # it did not start again
    np.testing.assert_array_equal(resumed.values, whole.values)


def test_a_finished_stack_is_not_trained_again(tmp_path):
    first = train(Quadratic([1.0]), tmp_path)
    task = Quadratic([1.0])
    np.testing.assert_array_equal(train(task, tmp_path).values, first.values)
    assert task.calls == 0


def test_a_resumed_run_that_lost_its_optimizer_state_is_noticed(tmp_path, monkeypatch):
    """Mutation: forgetting the momentum in the checkpoint must break the resume test."""
    save = Checkpoints.save

    def forgetful(self, name, step, tensors):
        save(self, name, step, {k: torch.zeros_like(v) if k.startswith("state:") else v for k, v in tensors.items()})

    monkeypatch.setattr(Checkpoints, "save", forgetful)
    with pytest.raises(AssertionError):
        test_an_interrupted_run_resumes_to_the_same_numbers(tmp_path, "sgd")


def test_each_model_of_a_stack_has_its_own_learning_rate(tmp_path):
    rates = torch.tensor([0.1, 0.4], dtype=torch.float64)
    both = train(Quadratic([1.0, 1.0]), tmp_path / "both", lr=rates)
    for index, rate in enumerate((0.1, 0.4)):
        alone = train(Quadratic([1.0]), tmp_path / str(index), lr=rate)
        np.testing.assert_allclose(both.values[:, :, index], alone.values[:, :, 0], rtol=1e-12)


def test_two_processes_cannot_train_the_same_job(tmp_path):
    with Checkpoints(tmp_path, "key"), pytest.raises(UserError, match="another process trains this job"):
        Checkpoints(tmp_path, "key").__enter__()


def test_a_checkpoint_of_other_code_is_not_read(tmp_path):
    train(Quadratic([1.0]), tmp_path)
    with Checkpoints(tmp_path, "other") as checkpoints:
        assert checkpoints.load("stack_0.done") is None
        checkpoints.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("models", [1, 2])
def test_only_what_is_not_finite_counts_as_diverged(models):
    grads = {"a": torch.ones(models, 2, 3), "b": torch.full((models, 4), 1e30)}  # the square of 1e30 is infinite
    assert engine.finite(torch.ones(models), grads).all()
    for bad in (np.nan, np.inf, -np.inf):
        spoilt = {"a": grads["a"].clone(), "b": grads["b"]}
        spoilt["a"][0, 1, 1] = bad
        assert engine.finite(torch.ones(models), spoilt).tolist() == [False] + [True] * (models - 1)
        loss = torch.ones(models)
        loss[-1] = bad
        assert engine.finite(loss, grads).tolist() == [True] * (models - 1) + [False]
