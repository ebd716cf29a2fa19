"""Classification with torch modules: augmentation, metrics by group, spectrum of the logits, the ResNets."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import registry as data_sets
from muon_imbalance.data.builder import Builder
from muon_imbalance.models import registry
from muon_imbalance.models.modules import resnet
from muon_imbalance.plan.families import load as load_settings
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.image_data import Images, crop_and_flip
from muon_imbalance.training.tasks.minibatch_classification import stratified

SIZES = {"train": 26, "validation": 12, "test": 20}


def arrays(split, seed):
    """Four classes of 8 x 8 images, one bright quarter each."""
    rng = np.random.default_rng([len(split), seed])
    label = np.arange(SIZES[split]) % 4
    images = rng.integers(0, 60, (SIZES[split], 8, 8, 3), dtype=np.uint8)
    for image, c in zip(images, label, strict=True):
        image[4 * (c // 2) :][:4, 4 * (c % 2) :][:, :4] += 150
    return {"images": images, "label": label, "mean": np.full(3, 70.0), "std": np.full(3, 65.0)}


@pytest.fixture
def pictures(monkeypatch):
    def load(path, split, repetitions):
        each = [arrays(split, seed) for seed in repetitions]
        return {key: np.stack([one[key] for one in each]) for key in each[0]}

    module = SimpleNamespace(
        build=None, load=load, describe=None, classes=lambda config: 4,
        class_sets=lambda config: {"majority": [0, 1], "minority": [2, 3]},
    )  # fmt: skip
    monkeypatch.setattr(data_sets, "module", lambda name: Builder(module))
    return module


def job(**changes):
    settings = {
        "dataset": {"name": "pictures", "builder": "pictures", "config": {}},
        # 16 or more: oneDNN 3.12 writes past its memory in the gradient of 1x1 convolutions of stride 2 on fewer
        # channels than a register holds, in the kernels for AVX2
        "model": {"name": "resnet", "width": 16, "blocks": [1, 1]},
        "metrics": ["logit_kl", "group_loss"], "evaluate": ["validation", "test"],
        "augment": {"crop": 1, "flip": True},
    }  # fmt: skip
    described = {
        "experiment": "e", "optimizer": "muon", "phase": "final", "task": "minibatch_classification", "rule": "muon",
        "cells": [{"lr": "0.05", "momentum": "0.9"}], "seeds": [0, 1], "epochs": 4, "batch": 9,
        "record": {"every": 2, "within": 3}, "schedule": "cosine", "settings": settings | changes.pop("settings", {}),
    }  # fmt: skip
    return Job(**(described | changes))


def table(job, folder):
    with Checkpoints(folder, "key") as checkpoints:
        return train.run_job(job, folder, [], checkpoints).to_pandas()


def test_a_job_writes_rows_by_epoch(pictures, tmp_path):
    frame = table(job(), tmp_path)
    assert sorted(frame["epoch"].unique()) == pytest.approx([0, 1 / 3, 2 / 3, 2, 4])
    assert sorted(frame["step"].unique()) == [0, 1, 2, 6, 12]
    assert set(frame["seed"]) == {0, 1} and not frame["diverged"].any()
    groups = {f"class_{c}" for c in range(4)} | {"balanced", "worst", "majority", "minority"}
    found = frame[frame["metric"] == "accuracy"]
    assert set(found["split"]) == {"train", "validation", "test"} and set(found["group"]) == groups
    last = frame[(frame["step"] == 12) & (frame["seed"] == 0)].set_index(["split", "group", "metric"])["value"]
    classes = [last["test", f"class_{c}", "accuracy"] for c in range(4)]
    assert last["test", "balanced", "accuracy"] == pytest.approx(np.mean(classes))
    assert last["test", "worst", "accuracy"] == min(classes)
    assert last["test", "minority", "accuracy"] == pytest.approx(np.mean(classes[2:]))
    assert last["train", "all", "loss"] < 1.4 and last["train", "all", "logit_kl"] > 0


def test_metrics_are_those_of_the_module(pictures, tmp_path):
    """Accuracies, losses and the spectrum at step 0, computed here from the module's outputs in NumPy."""
    described = job(settings={"logit_share": 0.5})
    task = train.make_task(described, described.runs()[:1], tmp_path)
    values = task.evaluate(task.init())
    held, train_images = arrays("test", 0), arrays("train", 0)

    def logits(images):
        task.module.eval()
        inputs = torch.from_numpy((images["images"].astype(np.float32) - 70) / 65).permute(0, 3, 1, 2)
        with torch.no_grad():
            return task.module(inputs).double().numpy()

    z, y = logits(held), held["label"]
    for c in range(4):
        right = (z[y == c].argmax(1) == c).mean()
        assert values["test", f"class_{c}", "accuracy"].item() == pytest.approx(right)
        loss = (np.log(np.exp(z[y == c]).sum(1)) - z[y == c, c]).mean()
        assert values["test", f"class_{c}", "loss"].item() == pytest.approx(loss, rel=1e-5)
    chosen = stratified(torch.from_numpy(train_images["label"]), 0.5).numpy()
    s = np.linalg.svd(logits(train_images)[chosen], compute_uv=False)
    share = s / s.sum()
    assert values["train", "all", "logit_kl"].item() == pytest.approx(np.mean(np.log(1 / 4 / share)), rel=1e-3)


def test_a_stratified_part_keeps_the_proportions():
    labels = torch.tensor([0] * 40 + [1] * 10 + [2] * 5).roll(3)
    chosen = stratified(labels, 0.2)
    assert labels[chosen].bincount().tolist() == [8, 2, 1]
    assert stratified(labels, 1.0).tolist() == list(range(55))


def test_crops_and_flips_are_those_of_a_loop():
    images = torch.randint(1, 255, (40, 5, 6, 3), dtype=torch.uint8)
    changed = crop_and_flip(images, 2, True, torch.Generator().manual_seed(3))
    padded = np.pad(images.numpy(), ((0, 0), (2, 2), (2, 2), (0, 0)))
    places = set()
    for image, result in zip(padded, changed.numpy(), strict=True):
        fits = [(r, c, m) for r in range(5) for c in range(5) for m in (1, -1)
                if np.array_equal(image[r : r + 5, c : c + 6][:, ::m], result)]  # fmt: skip
        assert len(fits) == 1
        places |= set(fits)
    assert len({r for r, _, _ in places}) == len({c for _, c, _ in places}) == 5 and {m for *_, m in places} == {1, -1}
    again = crop_and_flip(images, 2, True, torch.Generator().manual_seed(3))
    assert torch.equal(changed, again)


def test_images_are_standardised_and_channels_last():
    values = torch.randint(0, 255, (4, 5, 6, 3), dtype=torch.uint8)
    mean, std = torch.tensor([100.0, 120, 90]), torch.tensor([50.0, 60, 70])
    read = Images(values, mean, std, torch.float32).read(slice(1, 3))
    expected = ((values[1:3].double() - mean) / std).permute(0, 3, 1, 2)
    torch.testing.assert_close(read.double(), expected, rtol=1e-5, atol=1e-6)
    assert read.is_contiguous(memory_format=torch.channels_last)


def test_the_narrow_network_at_full_width_is_torchvisions():
    mine = resnet.build(resnet.Options(width=64, blocks=[2, 2, 2, 2]), (3, 32, 32), 10)
    theirs = resnet.build(resnet.Options(arch="resnet18"), (3, 32, 32), 10)
    theirs.load_state_dict(mine.state_dict())
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(mine(images), theirs(images))
    fresh = resnet.build(resnet.Options(arch="resnet18"), (3, 32, 32), 10)
    for name in ("conv1.weight", "layer2.0.conv1.weight", "layer4.1.conv2.weight"):
        spread = [network.state_dict()[name].std().item() for network in (mine, fresh)]
        assert spread[0] == pytest.approx(spread[1], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "optimizer", "side"), [("cifar10_r20", "muon", 32), ("cifar100_r20", "nmd", 32), (None, "adam", 64)]
)
def test_the_papers_networks_train_with_the_papers_settings(monkeypatch, tmp_path, experiment, optimizer, side):
    """ResNet-18 and ResNet-50 as the paper scale has them, ResNet-34 on 64 x 32 pixels; few pictures, real shapes."""

    def load(path, split, repetitions):
        rng = np.random.default_rng(len(split))
        label = np.arange(4 if split == "train" else 2)[None] % 10
        images = rng.integers(0, 256, (*label.shape, side, 32, 3), dtype=np.uint8)
        return {"images": images, "label": label, "mean": np.full((1, 3), 120.0), "std": np.full((1, 3), 60.0)}

    count = 100 if experiment == "cifar100_r20" else 10
    module = SimpleNamespace(build=None, load=load, describe=None, classes=lambda config: count)
    monkeypatch.setattr(data_sets, "module", lambda name: Builder(module))
    root = Path(__file__).parents[2]
    chosen = load_settings(root, {"scale": "paper"}).config["experiments"][experiment or "cifar10_r20"]
    model = chosen["model"] if experiment else {"arch": "resnet34"}
    cell = {key: values[1] for key, values in chosen["sweep"][optimizer].items()}
    described = job(
        optimizer=optimizer, rule=optimizer, cells=[cell], seeds=[0], epochs=2, batch=chosen["batch"],
        schedule=chosen["schedule"], record={"every": 1}, hyper=chosen["hyper"][optimizer],
        settings={"model": {"name": "resnet"} | model, "augment": chosen["augment"], "metrics": [],
                  "evaluate": ["test"]},
    )  # fmt: skip
    assert described.length(4).steps == 2
    frame = table(described, tmp_path)
    loss = frame[frame["metric"] == "loss"]["value"]
    assert len(loss) == 3 and np.isfinite(loss).all() and not frame["diverged"].any()
    assert loss.is_unique, "it is that of the weights at the record, which every update moves"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"width": 8},
        {"arch": "resnet18", "width": 8, "blocks": [1]},
        {"arch": "x"},
        {"width": 8, "blocks": [1], "stem": "imagenet"},
    ],
)
def test_a_network_that_does_not_exist_is_refused(config):
    with pytest.raises(UserError, match="allowed: "):
        registry.chosen({"name": "resnet"} | config, "m", "modules")
