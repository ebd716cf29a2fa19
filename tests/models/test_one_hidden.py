"""The network of Fig. 31: its gradient, its fixed outer layer, the spectrum of its logits, its groups of classes."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.tables import gaussian_mixture
from muon_imbalance.models import registry
from muon_imbalance.models.stacked import one_hidden
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.metrics.logit_spectrum import logit_kl

S, N, D, HIDDEN, CLASSES = 3, 41, 6, 16, 4
DATA = {"classes": 4, "dimension": 9, "prior": {"step": 5}, "means": "orthogonal", "train": 60, "test_per_class": 8,
        "repetitions": 2}  # fmt: skip


@pytest.fixture
def model():
    return one_hidden.build(one_hidden.Options(hidden=[HIDDEN], init_std=0.5), (D,), CLASSES)


def generators(count=S, seed=0):
    return [torch.Generator().manual_seed(seed + i) for i in range(count)]


def test_gradient_is_that_of_autograd_and_of_the_inner_layer_alone(model):
    rng = torch.Generator().manual_seed(2)
    inputs = torch.randn(S, N, D, generator=rng, dtype=torch.float64)
    targets = torch.randint(0, CLASSES, (S, N), generator=rng)
    params = model.init(generators(), torch.float64)
    assert list(params) == ["layers.0.weight"] and params["layers.0.weight"].shape == (S, HIDDEN, D)
    weight = params["layers.0.weight"].clone().requires_grad_()
    logits = torch.bmm(torch.bmm(inputs, weight.mT).relu(), model.outer.mT)
    (F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / N).backward()
    torch.testing.assert_close(model.apply(params, inputs), logits.detach(), rtol=1e-12, atol=1e-12)
    grads = {"layers.0.weight": torch.zeros_like(weight)}
    model.accumulate(params, inputs, targets, 1 / N, 16, grads, lambda *_: None)
    torch.testing.assert_close(grads["layers.0.weight"], weight.grad, rtol=1e-11, atol=1e-13)


def test_initial_weights(model):
    params = model.init(generators(), torch.float64)
    assert set(model.outer.unique().tolist()) == {-(HIDDEN**-0.5), HIDDEN**-0.5}
    assert abs(float(model.outer.mean())) < 0.1
    wide = one_hidden.build(one_hidden.Options(hidden=[400], init_std=0.01), (100,), CLASSES)
    assert float(wide.init(generators(), torch.float64)["layers.0.weight"].std()) == pytest.approx(0.001, rel=0.02)
    outer = model.outer.clone()
    alone = model.init(generators(1, seed=1), torch.float64)
    assert torch.equal(alone["layers.0.weight"], params["layers.0.weight"][1:2])
    assert torch.equal(model.outer, outer[1:2]), "a model does not depend on its neighbours in the stack"


def test_two_hidden_layers_are_refused():
    with pytest.raises(UserError, match=r"m.hidden = \[8, 8\]; allowed: a list of whole .* with 1 entry"):
        registry.chosen({"name": "one_hidden", "hidden": [8, 8], "init_std": 0.1}, "m", "stacked")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(5, 30), k=st.integers(2, 5))
def test_logit_kl_is_that_of_the_singular_values(seed, n, k):
    z = np.random.default_rng(seed).standard_normal((2, n, k))
    found = logit_kl(torch.from_numpy(z)).numpy()
    for one, value in zip(z, found, strict=True):
        s = np.linalg.svd(one, compute_uv=False)
        q = s / s.sum()
        assert value == pytest.approx(np.sum((1 / k) * np.log((1 / k) / q)))
    assert (found >= 0).all()


def test_logit_kl_extremes():
    basis, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 3)))
    even, steep = torch.from_numpy(basis[None]), torch.from_numpy((basis * [1.0, 0.1, 0.01])[None])
    assert float(logit_kl(5 * even)) == pytest.approx(0, abs=1e-12)
    q = np.array([1, 0.1, 0.01]) / 1.11
    assert float(logit_kl(steep)) == pytest.approx(-np.log(3 * q).mean())
    assert float(logit_kl(torch.zeros(1, 4, 3, dtype=torch.float64) + 1)) > 10
    assert float(logit_kl(3 * steep)) == pytest.approx(float(logit_kl(steep))), (
        "the scale of the logits does not matter"
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "mixture"
    gaussian_mixture.build(DATA, {}, folder)
    return folder


def job(**changes):
    described = {
        "experiment": "spectrum", "optimizer": "ngd", "phase": "final", "task": "stacked_classification", "rule": "ngd",
        "cells": [{"lr": "0.5"}], "seeds": [0, 1], "steps": 6, "record": {"every": 3}, "stack": 2, "dtype": "float64",
        "settings": {"dataset": {"name": "mixture", "builder": "gaussian_mixture", "config": DATA},
                     "model": {"name": "one_hidden", "hidden": [8], "init_std": 0.1}, "evaluate": ["test"],
                     "metrics": ["logit_kl"]},
    }  # fmt: skip
    return Job(**(described | changes))


def run(job, data, folder):
    with Checkpoints(folder, train.identity(job, data)) as checkpoints:
        return train.run_job(job, data, [], checkpoints).to_pandas()


def test_metrics_are_what_they_say(data, tmp_path):
    """Recompute the divergence and both groups' accuracy at step 0 in plain NumPy."""
    frame = run(job(), data, tmp_path).query("step == 0 and seed == 1").set_index(["split", "group", "metric"])["value"]
    task = train.make_task(job(), job().runs(), data)
    inner, outer = task.init()["layers.0.weight"][1].numpy(), task.model.outer[1].numpy()

    def logits(split):
        held = gaussian_mixture.load(data, split, [1])
        return np.maximum(held["inputs"][0] @ inner.T, 0) @ outer.T, held["label"][0]

    s = np.linalg.svd(logits("train")[0], compute_uv=False)
    assert frame["train", "all", "logit_kl"] == pytest.approx(-np.log(4 * s / s.sum()).mean())
    z, label = logits("test")
    right = z.argmax(1) == label
    assert frame["test", "majority", "accuracy"] == pytest.approx(right[label < 2].mean())
    assert frame["test", "minority", "accuracy"] == pytest.approx(right[label >= 2].mean())
    both = (frame["test", "majority", "accuracy"] + frame["test", "minority", "accuracy"]) / 2
    assert frame["test", "balanced", "accuracy"] == pytest.approx(both)


def test_stack_and_chunk_change_speed_only(data, tmp_path):
    whole = run(job(), data, tmp_path / "a")
    for name, changes in {"b": {"stack": 1}, "c": {"chunk": 7}}.items():
        other = run(job(**changes), data, tmp_path / name)
        np.testing.assert_allclose(other["value"], whole["value"], rtol=1e-9, atol=1e-12)


def test_training_resumes_with_the_same_outer_layer(data, tmp_path, monkeypatch):
    """Interrupted in the middle and started again: the outer layer is drawn anew, from the same seeds."""
    whole = run(job(), data, tmp_path / "whole")
    from muon_imbalance.training.tasks import stacked_classification

    gradients, calls = stacked_classification.Classification.gradients, []

    def failing(self, params, measure):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return gradients(self, params, measure)

    monkeypatch.setattr(stacked_classification.Classification, "gradients", failing)
    interrupted = job(checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        run(interrupted, data, tmp_path / "resumed")
    resumed = run(interrupted, data, tmp_path / "resumed")
    np.testing.assert_array_equal(resumed["value"], whole["value"])
    assert len(calls) < 2 * 7, "it did not start from the beginning"


def test_without_a_step_prior_there_are_no_sets(tmp_path):
    config = DATA | {"prior": "zipf"}
    gaussian_mixture.build(config, {}, tmp_path / "zipf")
    settings_ = json.loads(json.dumps(job().settings))
    settings_["dataset"]["config"] = config
    frame = run(job(settings=settings_, steps=1), tmp_path / "zipf", tmp_path / "run")
    assert not {"majority", "minority"} & set(frame["group"])
