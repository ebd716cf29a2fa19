"""Decoded accuracy: features that hold both cues, one of them, or none; the protocol's parts; the task."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import registry as data_sets
from muon_imbalance.data.builder import Builder
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.tasks import decoding
from muon_imbalance.training.tasks.decoding import Samples


def samples(seed: int, core: float, spurious: float, each: int = 60) -> Samples:
    """``each`` samples of four groups; the features are class and digit, this strong, and noise."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(4), each)
    features = rng.normal(size=(4 * each, 6))
    features[:, 0] += core * (2 * (group // 2) - 1)
    features[:, 1] += spurious * (2 * (group % 2) - 1)
    return Samples(3 * features + 7, group // 2, group)


def test_decoded_reads_what_the_features_hold():
    """With a weak class and a strong digit in the features, a balanced fit reads the class and ignores the digit."""
    both = decoding.decoded(samples(0, 2, 5), samples(1, 2, 5), 4, 5, 0)
    assert both.min() > 0.9
    none = decoding.decoded(samples(0, 0, 5), samples(1, 0, 5), 4, 5, 0)
    assert none.min() < 0.65 and 0.4 < none.mean() < 0.6


def test_standardisation_and_order_do_not_matter():
    validation, test = samples(0, 1, 3), samples(1, 1, 3)
    scaled = [Samples(s.features * [1, 100, 1, 0.01, 1, 1] - 5, s.label, s.group) for s in (validation, test)]
    first, second = decoding.decoded(validation, test, 4, 3, 0), decoding.decoded(*scaled, 4, 3, 0)
    np.testing.assert_allclose(first, second, atol=0.02)
    assert (decoding.decoded(validation, test, 4, 3, 0) == first).all()


def test_fit_is_the_minimum_of_the_penalised_loss():
    """Subgradient condition of ``|w|_1 + C sum log(1 + exp(-y (w x + b)))`` (liblinear penalises b as well)."""
    data, strength = samples(2, 1, 0), 0.05
    standard = Samples((data.features - 7) / 3, data.label, data.group)
    weights = decoding.fitted(standard, strength, 0)
    design = np.column_stack([standard.features, np.ones(len(standard.label))])
    sign = 2 * standard.label - 1
    slope = -strength * (sign / (1 + np.exp(sign * (design @ weights)))) @ design
    active = np.abs(weights) > 1e-6
    assert active.any() and not active.all()
    np.testing.assert_allclose(slope[active], -np.sign(weights[active]), atol=0.02)
    assert (np.abs(slope[~active]) <= 1.02).all()


def test_smallest_group_decides(monkeypatch):
    """Resamples hold as many samples of every group, and C is chosen on samples that the fit has not seen."""
    held = samples(0, 2, 2)
    fewer = held.part(np.flatnonzero((held.group != 1) | (np.arange(240) < 80)))
    fits = []

    def spy(part, strength, seed):
        fits.append((strength, np.bincount(part.group, minlength=4)))
        return np.zeros(7)

    monkeypatch.setattr(decoding, "fitted", spy)
    decoding.decoded(fewer, held, 4, 3, 0)
    assert [strength for strength, _ in fits[:7]] == list(decoding.STRENGTHS)
    assert all((counts == 10).all() for _, counts in fits[:7]) and all((counts == 20).all() for _, counts in fits[7:])
    assert len(fits) == 10
    with pytest.raises(UserError, match="a group has 1 validation samples"):
        decoding.decoded(held.part(np.flatnonzero((held.group != 1) | (np.arange(240) < 61))), held, 4, 3, 0)


@pytest.fixture
def job(monkeypatch):
    def load(path, split, repetitions):
        rng = np.random.default_rng([len(split), *repetitions])
        group = np.repeat(np.arange(4), 10)
        images = rng.integers(0, 99, (1, 40, 8, 4, 3), dtype=np.uint8).astype(np.int16)
        images[0, :, :4] += 100 * (group % 2)[:, None, None, None].astype(np.int16)
        images[0, :, 4:] += 100 * (group // 2)[:, None, None, None].astype(np.int16)
        moments = {"mean": np.full((1, 3), 100.0), "std": np.full((1, 3), 60.0)}
        return {"images": images, "label": group[None] // 2, "group": group[None]} | moments

    module = SimpleNamespace(build=None, load=load, describe=None, GROUPS=("a", "b", "c", "d"))
    monkeypatch.setattr(data_sets, "module", lambda name: Builder(module))
    settings = {
        "dataset": {"name": "dominoes", "builder": "dominoes", "config": {}},
        "model": {"name": "resnet", "width": 8, "blocks": [1]},
        "metrics": [],
        "evaluate": ["validation", "test"],
        "decode": {"resamples": 2},
    }
    return Job("e", "muon", "final", "decoding", "muon", [{"lr": "0.05"}], [0], {"every": 1}, epochs=1, batch=10,
               settings=settings)  # fmt: skip


def test_task_measures_both(job, tmp_path):
    task = train.make_task(job, job.runs(), tmp_path)
    params = task.init()
    found = task.evaluate(params)
    assert {group for split, group, metric in found if metric == "decoded"} == {"a", "b", "c", "d", "balanced", "worst"}
    decoded = [found["test", group, "decoded"].item() for group in "abcd"]
    assert found["test", "worst", "decoded"].item() == min(decoded)
    assert found["test", "balanced", "decoded"].item() == pytest.approx(np.mean(decoded)) and np.mean(decoded) > 0.6
    assert found == task.evaluate(params) and not task.seen
    module, split = task.module.eval(), task.splits["test"]
    with torch.no_grad():
        task.counted(task.outputs_of, "test")
    features = torch.as_tensor(task._samples("test").features, dtype=torch.float32)
    torch.testing.assert_close(module.fc(features).detach(), module(split.inputs.read(slice(None))).detach())


def test_task_needs_both_splits(job, tmp_path):
    one = dataclasses.replace(job, settings=job.settings | {"evaluate": ["test"]})
    with pytest.raises(UserError, match=r"evaluate = \['test'\]; allowed: both validation and test"):
        train.make_task(one, one.runs(), tmp_path)


def test_the_papers_network(job, monkeypatch, tmp_path):
    """ResNet-34 on pictures of 64 x 32 pixels: one step, and the size of what is decoded."""
    module = data_sets.module("dominoes")
    small = module.load

    def load(path, split, repetitions):
        held = small(path, split, repetitions)
        return held | {"images": held["images"].repeat(8, axis=2).repeat(8, axis=3)}

    monkeypatch.setattr(module, "load", load)
    settings = job.settings | {"model": {"name": "resnet", "arch": "resnet34"}, "evaluate": ["validation", "test"]}
    described = dataclasses.replace(job, settings=settings, batch=4)
    task = train.make_task(described, described.runs(), tmp_path)
    loss, grads, _ = task.gradients(task.init(), False)
    assert torch.isfinite(loss).all() and sum(grad.numel() for grad in grads.values()) > 21e6
    task.splits = {name: SimpleNamespace(inputs=s.inputs, targets=s.targets[:4], groups=s.groups[:4])
                   for name, s in task.splits.items()}  # fmt: skip
    task.chunk = 4
    with torch.no_grad():
        task.counted(task.outputs_of, "test")
    assert task._samples("test").features.shape == (4, 512)
