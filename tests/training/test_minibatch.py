"""Networks on minibatches: batches, gradients, buffers, resumed runs, divergence, records by epoch."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from muon_imbalance.common import schedules
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.progress import Progress
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.optimizers import registry
from muon_imbalance.optimizers.base.in_place import InPlace
from muon_imbalance.optimizers.base.protocol import Optimizer
from muon_imbalance.optimizers.torch_bridge import torch_class
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training import engine
from muon_imbalance.training import registry as tasks
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.minibatch import Minibatch, seeded

SAMPLES = 50


def job(**changes):
    described = {
        "experiment": "e", "optimizer": "o", "phase": "final", "task": "minibatch_classification", "rule": "nmd",
        "cells": [{"lr": "0.1"}], "seeds": [0], "epochs": 3, "batch": 16, "record": {"every": 1},
    }  # fmt: skip
    return Job(**(described | changes))


class Small(Minibatch):
    """A network with BatchNorm and dropout on generated points, noise added to each batch."""

    def __init__(self, described=None, seed=0, interrupt_at=None, dropout=0.2):
        self.interrupt_at, self.seen, self.recorded_means, self.dropout = interrupt_at, [], [], dropout
        points = tasks.Dataset(name="points", builder="points", config={})
        super().__init__([tasks.Chosen(None, points)], described or job(), [seed], None)

    def prepare(self):
        rng = torch.Generator().manual_seed(7)
        self.x, self.y = torch.randn(SAMPLES, 4, generator=rng), torch.randint(0, 3, (SAMPLES,), generator=rng)
        self.samples = SAMPLES

    def make(self):
        layers = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(self.dropout), nn.ReLU(), nn.Linear(8, 3)
        return nn.Sequential(*layers)

    def loss(self, outputs_of, which, rng):
        if len(self.seen) == self.interrupt_at:
            raise KeyboardInterrupt
        noise = 0.1 * torch.randn(len(which), 4, generator=rng)
        self.seen.append((which, noise))
        return F.cross_entropy(outputs_of(self.x[which] + noise), self.y[which])

    def measure(self, outputs_of):
        self.recorded_means.append(self.module[1].running_mean.clone())
        outputs = outputs_of(self.x)
        right, loss = (outputs.argmax(1) == self.y).double().mean(), F.cross_entropy(outputs, self.y)
        return {("test", "all", "accuracy"): right.reshape(1), ("train", "all", "loss"): loss.reshape(1)}


def run(task, folder, optimizer=None, described=None, every=1e9, epochs=0):
    plan = (described or job()).length(task.samples)
    optimizer = optimizer or registry.build("muon", lr=0.05, momentum=0.9)
    with Checkpoints(folder, "key") as checkpoints:
        return engine.train(task, optimizer, plan, engine.Saves(checkpoints, "s", every, epochs), Progress("t", 1))


def test_an_epoch_has_each_sample_once_in_batches_of_equal_size():
    task = Small()
    batches = task.batches(0)
    assert [len(batch) for batch in batches] == [13, 13, 12, 12]
    assert sorted(torch.cat(batches).tolist()) == list(range(SAMPLES))
    assert torch.cat(task.batches(1)).tolist() != torch.cat(batches).tolist()


@pytest.mark.parametrize("rule", ["nmd", "muon", "adam"])
def test_all_optimizers_see_the_same_batches_and_start_alike(tmp_path, rule):
    reference, other = Small(), Small()
    run(reference, tmp_path / "sgd", registry.build("sgd", lr=0.1))
    run(other, tmp_path / rule, registry.build(rule, lr=0.01))
    assert len(other.seen) == 12  # and nothing is computed after the last update
    for (which, noise), (same, alike) in zip(reference.seen, other.seen, strict=True):
        assert torch.equal(which, same) and torch.equal(noise, alike)
    for value, same in zip(reference.initial.values(), other.initial.values(), strict=True):
        assert torch.equal(value, same)
    assert not torch.equal(Small(seed=1).initial["0.weight"], other.initial["0.weight"])
    assert not torch.equal(Small(seed=1).batches(0)[0], other.batches(0)[0])


def test_gradients_are_those_of_plain_autograd():
    task = Small(dropout=0.0)
    params = {name: value * 1.5 for name, value in task.init().items()}
    loss, grads, _ = task.gradients(params, False)
    which, noise = task.seen[0]
    plain = Small(dropout=0.0).module
    plain.load_state_dict({name: value[0] for name, value in params.items()}, strict=False)
    expected = F.cross_entropy(plain(task.x[which] + noise), task.y[which])
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(grads[name][0], parameter.grad)
        assert grads[name].shape == params[name].shape == (1, *parameter.shape)


def test_a_run_equals_a_plain_torch_loop(tmp_path):
    """SGD with momentum against torch.optim.SGD in a loop written out here."""
    task = Small(dropout=0.0)
    history = run(task, tmp_path, registry.build("sgd", lr=0.1, momentum=0.9))
    plain = Small(dropout=0.0)
    optimizer = torch.optim.SGD(plain.module.parameters(), lr=0.1, momentum=0.9)
    losses, accuracies, seen = [], [], iter(task.seen)
    for step in range(13):
        if step % 4 == 0:
            plain.module.eval()
            outputs = plain.module(plain.x)
            losses.append(F.cross_entropy(outputs, plain.y).item())
            accuracies.append((outputs.argmax(1) == plain.y).double().mean().item())
            plain.module.train()
        if step < 12:
            which, noise = next(seen)
            optimizer.zero_grad()
            F.cross_entropy(plain.module(plain.x[which] + noise), plain.y[which]).backward()
            optimizer.step()
    assert history.steps == [0, 4, 8, 12]
    loss, accuracy = (history.values[:, history.keys.index(key), 0] for key in
                      (("train", "all", "loss"), ("test", "all", "accuracy")))  # fmt: skip
    np.testing.assert_allclose(loss, losses, rtol=1e-5)
    np.testing.assert_allclose(accuracy, accuracies)


def test_metrics_use_the_batch_statistics_of_their_moment(tmp_path):
    task = Small()
    run(task, tmp_path)
    assert torch.equal(task.recorded_means[0], torch.zeros(8))  # not those of the batch that follows
    assert torch.equal(task.recorded_means[-1], task.module[1].running_mean)


@pytest.mark.parametrize("interrupt_at", [3, 5, 8, 11])
@pytest.mark.parametrize("kind", ["muon", "scheduled", "own"])
def test_an_interrupted_run_resumes_to_the_same_numbers(tmp_path, interrupt_at, kind):
    rate = partial(schedules.factor, "cosine", steps=12, warmup=2)
    described = job(schedule="cosine", warmup=2, rule="sgd", cells=[{"lr": "0.1", "momentum": "0.9"}])
    make = {
        "muon": lambda: registry.build("muon", lr=0.05, momentum=0.9),
        "scheduled": lambda: train.make_optimizer(described, described.runs(), 12),
        "own": lambda: torch_class.TorchClass("o", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), rate=rate),
    }[kind]
    whole, cut, again = Small(), Small(interrupt_at=interrupt_at), Small()
    uninterrupted = run(whole, tmp_path / "whole", make())
    with pytest.raises(KeyboardInterrupt):
        run(cut, tmp_path / "cut", make(), every=0)
    resumed = run(again, tmp_path / "cut", make(), every=0)
    assert len(again.seen) == 12 - interrupt_at
    np.testing.assert_array_equal(resumed.values, uninterrupted.values)
    for name, buffer in whole.buffers.items():
        assert torch.equal(buffer, again.buffers[name])


@pytest.mark.parametrize("lost", ["task:buffer:1.running_mean", "task:step"])
def test_a_checkpoint_that_lost_a_part_is_noticed(tmp_path, monkeypatch, lost):
    """Mutation: batch statistics and place in the epoch must both be in the checkpoint."""
    save = Checkpoints.save

    def forgetful(self, name, step, tensors):
        save(self, name, step, {k: torch.zeros_like(v) if k == lost else v for k, v in tensors.items()})

    monkeypatch.setattr(Checkpoints, "save", forgetful)
    with pytest.raises(AssertionError):
        test_an_interrupted_run_resumes_to_the_same_numbers(tmp_path, 5, "muon")


def test_a_class_follows_the_schedule_like_a_rule(tmp_path):
    described = job(schedule="cosine", warmup=2, rule="sgd", cells=[{"lr": "0.1", "momentum": "0.9"}])
    rule = run(Small(), tmp_path / "rule", train.make_optimizer(described, described.runs(), 12))
    of_torch = {"class": "torch.optim:SGD"}
    described = job(schedule="cosine", warmup=2, own=of_torch, cells=[{"lr": "0.1", "momentum": "0.9"}])
    of_class = run(Small(), tmp_path / "class", train.make_optimizer(described, described.runs(), 12))
    np.testing.assert_allclose(of_class.values, rule.values, rtol=1e-4)
    constant = run(Small(), tmp_path / "constant", registry.build("sgd", lr=0.1, momentum=0.9))
    assert not np.allclose(constant.values, rule.values, rtol=1e-4)


@pytest.mark.parametrize("hyper", [{}, {"weight_decay": 0.1}])
@pytest.mark.parametrize("rule", ["nmd", "signum", "muon", "muon_exact", "adam", "sgd", "shampoo", "lion_k"])
def test_a_step_in_place_is_the_step(rule, hyper):
    rule = registry.build(rule, lr=0.05, **hyper)
    rng = torch.Generator().manual_seed(0)
    shapes = {"kernel": (1, 4, 3, 3, 3), "matrix": (1, 5, 7), "vector": (1, 6), "few": (1, 2)}
    params = {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}
    mine = {name: value.clone() for name, value in params.items()}
    state, own = rule.init(params), rule.init(mine)
    for _ in range(4):
        grads = {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}
        params, state = rule.step(params, grads, state)
        mine, own = InPlace(rule).step(mine, {name: value.clone() for name, value in grads.items()}, own)
    assert list(own) == list(state) and list(mine) == list(params)
    for name in params:
        torch.testing.assert_close(mine[name], params[name], rtol=2e-5, atol=1e-6)
    for key in state:
        torch.testing.assert_close(own[key], state[key], rtol=2e-5, atol=1e-6)


def test_warmup_and_schedule():
    factors = [schedules.factor("linear", step, 6, warmup=2) for step in range(6)]
    assert factors == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    assert schedules.factor("cosine", 3, 6) == pytest.approx((1 + math.cos(math.pi / 2)) / 2)


def test_divergence_is_recorded_and_ends_the_run(tmp_path):
    task = Small()
    history = run(task, tmp_path, registry.build("sgd", lr=1e30))
    assert 0 < history.died[0] <= 3 and len(task.seen) <= 4
    assert np.isfinite(history.values[0]).all() and np.isnan(history.values[1:]).all()
    assert history.values.shape[0] == 4


def test_a_weight_lost_in_the_last_update_counts_as_divergence(tmp_path):
    class Last(Optimizer):
        def init(self, params):
            return {"count": torch.tensor(0)}

        def step(self, params, grads, state):
            count = state["count"] + 1
            return ({k: v * (torch.nan if count == 12 else 1) for k, v in params.items()}), {"count": count}

    assert run(Small(), tmp_path, Last()).died.tolist() == [12]


def test_clipping_bounds_the_norm_of_all_gradients_together():
    size = {}
    for clip in (0.0, 0.05, 1e6):
        task = Small(job(clip=clip))
        size[clip] = sum(g.square().sum() for g in task.gradients(task.init(), False)[1].values()).sqrt().item()
    assert size[0.05] == pytest.approx(0.05, rel=1e-5) and size[1e6] == pytest.approx(size[0.0])


def test_a_checkpoint_after_each_epoch(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(Checkpoints, "save", lambda self, name, step, tensors: saved.append((name, step)))
    run(Small(), tmp_path, epochs=4)
    assert saved == [("s", 4), ("s", 8), ("s", 12), ("s.done", 12)]


def test_records_are_by_epoch():
    plan = job(record={"every": 2, "within": 4}, epochs=5, batch=10).length(95)
    assert (plan.steps, plan.per_epoch, plan.recorded) == (50, 10, [0, 2, 5, 8, 20, 40, 50])
    assert job(epochs=0, batch=0, steps=6, record={"every": 4}).length().recorded == [0, 4, 6]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 3}, "allowed: either steps, or epochs and batch"),
        ({"batch": 0}, "allowed: either steps, or epochs and batch"),
        ({"record": {"every": 1, "dense_until": 3}}, "record has 'dense_until'"),
        ({"epochs": 0, "batch": 0, "steps": 3, "record": {"every": 1, "within": 2}}, "record has 'within'"),
        ({"autocast": "float8"}, "allowed: , bfloat16, float16"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        job(**changes)


def test_random_numbers_of_a_step_depend_on_its_names_and_disturb_no_others():
    torch.manual_seed(3)
    expected = torch.randn(2, 4)
    torch.manual_seed(stable_seed("e", "dropout", 5) % 2**63)
    inside = torch.randn(4)
    torch.manual_seed(3)
    before = torch.randn(4)
    with seeded(torch.device("cpu"), "e", "dropout", 5):
        assert torch.equal(torch.randn(4), inside)
    assert torch.equal(torch.stack([before, torch.randn(4)]).flatten(), torch.cat([expected[0], expected[1]]))
