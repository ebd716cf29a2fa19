"""Barcoded MNIST as a training task: losses of both groups recomputed with PyTorch's layers from the images."""

import pytest
import torch
import torch.nn.functional as F

from muon_imbalance.data.digits import barcoded_mnist, mnist
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.checkpoints import Checkpoints
from tests.training.small_tasks import made

CONFIG = {"resolution": 14, "bits": 2, "train": 160, "validation": 160, "per_class": 4, "repetitions": 3}
SETTINGS = {
    "dataset": {"name": "barcoded", "builder": "barcoded_mnist", "config": CONFIG},
    "model": {"name": "cnn", "channels": [3, 4]},
    "metrics": ["group_loss"],
    "evaluate": ["validation"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import numpy as np

    from muon_imbalance.data.store import manifest

    base, rng, arrays = tmp_path_factory.mktemp("data"), np.random.default_rng(0), {}
    for split, n in (("train", 400), ("test", 20)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(n) % 10).astype(np.uint8)
    facts = {"name": "mnist", "kind": "generated", "label": "noise", "source": {}, "licence": "-", "citation": "-"}
    manifest.write(base / "mnist", arrays, facts | {"builder": "mnist", "config": {}}, mnist.describe(arrays))
    barcoded_mnist.build(CONFIG, {"mnist": base / "mnist"}, base / "barcoded")
    return base / "barcoded"


def losses_of(params, model, data):
    """Cross-entropy of every sample of one repetition."""
    hidden = torch.from_numpy(data["inputs"][0]).double().view(-1, 1, 14, 14)
    for i in range(2):
        weight, bias = params[f"conv.{i}.weight"][model], params[f"conv.{i}.bias"][model]
        hidden = F.max_pool2d(F.relu(F.conv2d(hidden, weight, bias, padding=2)), 2)
    logits = hidden.flatten(1) @ params["linear.weight"][model].T + params["linear.bias"][model]
    target = torch.from_numpy(data["label"][0])
    return F.cross_entropy(logits, target, reduction="none"), logits.argmax(1) == target


def test_group_losses_and_accuracies(folder):
    task = made("stacked_classification", SETTINGS, [2, 0], folder)
    assert task.model.classes == 50
    params = task.init()
    loss, _, measured = task.gradients(params, True)
    values = task.evaluate(params)
    for model, repetition in enumerate((2, 0)):
        data = barcoded_mnist.load(folder, "train", [repetition])
        losses, fitted = losses_of(params, model, data)
        assert float(loss[model]) == pytest.approx(float(losses.mean()))
        held_out = barcoded_mnist.load(folder, "validation", [repetition])
        _, right = losses_of(params, model, held_out)
        for number, group in enumerate(("majority", "minority")):
            chosen = torch.from_numpy(data["group"][0] == number)
            assert float(measured["train", group, "loss"][model]) == pytest.approx(float(losses[chosen].mean()))
            accuracy = float(fitted[chosen].double().mean())
            assert float(measured["train", group, "accuracy"][model]) == pytest.approx(accuracy)
            shown = torch.from_numpy(held_out["group"][0] == number)
            accuracy = float(right[shown].double().mean())
            assert float(values["validation", group, "accuracy"][model]) == pytest.approx(accuracy)
    half = (measured["train", "majority", "loss"] + measured["train", "minority", "loss"]) / 2
    torch.testing.assert_close(half, loss, rtol=1e-12, atol=0)


def test_exchanged_groups_are_noticed(folder, monkeypatch):
    monkeypatch.setattr(barcoded_mnist, "GROUPS", ("minority", "majority"))
    with pytest.raises(AssertionError):
        test_group_losses_and_accuracies(folder)


def job(**changes) -> Job:
    described = {
        "experiment": "barcoded", "optimizer": "shampoo", "phase": "final", "task": "stacked_classification",
        "rule": "shampoo", "cells": [{"lr": "0.003"}], "seeds": [0, 1], "steps": 3, "record": {"every": 1}, "stack": 2,
        "hyper": {"grafting": "adam", "epsilon": 1e-8, "precondition_frequency": 2}, "dtype": "float64",
        "settings": SETTINGS | {"evaluate": []},
    }  # fmt: skip
    return Job(**(described | changes))


def run(folder, checkpoints, **changes):
    described = job(**changes)
    with Checkpoints(checkpoints, train.identity(described, folder)) as kept:
        return train.run_job(described, folder, [], kept).to_pandas()


def test_training_loss_falls_and_stack_and_chunk_change_speed_only(folder, tmp_path):
    whole = run(folder, tmp_path / "a")
    assert set(whole["group"]) == {"all", "majority", "minority", "balanced", "worst"}
    assert set(whole["split"]) == {"train"}
    total = whole[whole["group"] == "all"].groupby("step")["value"].mean()
    assert total.iloc[-1] < total.iloc[0]
    for name, changes in {"b": {"stack": 1}, "c": {"chunk": 37}}.items():
        other = run(folder, tmp_path / name, **changes)
        torch.testing.assert_close(
            torch.tensor(other["value"].to_numpy()), torch.tensor(whole["value"].to_numpy()), rtol=1e-7, atol=1e-9
        )
