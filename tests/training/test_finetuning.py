"""Fine-tuning: where the network starts, what its data set holds, mirror images; kernel gradients of small maps."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision import models

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.photos import fractal100, step_imbalance
from muon_imbalance.data.pretrained import network_weights, transfer
from muon_imbalance.data.store import manifest
from muon_imbalance.models.modules import depthwise
from muon_imbalance.models.modules.efficientnet_lite import EfficientNetLite, scaled
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train


@pytest.fixture(scope="module")
def parents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parents")
    fractal100.build({"classes": 4, "train": 12, "test": 4}, {}, folder / "fractal")
    config = {"parent": "fractal", "classes": 4, "ratio": 2, "majority": 8, "half": "even", "resolution": 32}
    config |= {"validation": 2, "test": 3, "repetitions": 2}
    step_imbalance.build(config, {"fractal": folder / "fractal"}, folder / "pictures")
    network_weights.build({"untrained": "tiny"}, {}, folder / "weights")
    return {role: folder / role for role in ("pictures", "weights")}


@pytest.fixture(scope="module", params=[0, 2])
def folder(request, tmp_path_factory, parents):
    out = tmp_path_factory.mktemp("transfer") / "data"
    transfer.build({"classes": 4, "begin": request.param, "side": 32}, parents, out)
    return out, request.param


def job(begin: int, **model) -> Job:
    settings = {
        "dataset": {"name": "finetuning", "builder": "transfer", "config": {"classes": 4, "begin": begin}},
        "model": {"name": "efficientnet_lite", "size": "tiny", "begin": begin} | model,
        "metrics": [],
        "evaluate": ["test"],
    }
    return Job("e", "adam", "final", "fine_tuning", "adam", [{"lr": "0.01"}], [0], {"every": 1}, epochs=1, batch=6,
               settings=settings)  # fmt: skip


def whole_network(parents) -> EfficientNetLite:
    network = EfficientNetLite(size="tiny").eval()
    network.load_state_dict(
        {name: torch.from_numpy(value) for name, value in network_weights.load(parents["weights"]).items()}
    )
    return network


def test_data_set_holds_what_the_lower_blocks_give(folder, parents):
    out, begin = folder
    content = manifest.verify(out, transfer.describe)
    assert content["kind"] == "generated" and content["counts"]["train"]["minority"] == 8
    pictures = step_imbalance.load(parents["pictures"], "train", [1])
    held = transfer.load(out, "train", [1])
    assert (held["label"] == pictures["label"]).all()
    if begin == 0:
        assert (held["images"] == pictures["images"]).all() and "mirrored" not in held
        return
    images = torch.from_numpy(pictures["images"][0]).permute(0, 3, 1, 2) / 255
    network = whole_network(parents)
    with torch.no_grad():
        for key, shown in (("images", images), ("mirrored", images.flip(3))):
            expected = network.lower(scaled(shown, 32), begin).permute(0, 2, 3, 1)
            torch.testing.assert_close(torch.from_numpy(held[key][0]), expected, atol=1e-5, rtol=1e-4)


def test_network_starts_from_the_given_weights(folder, parents):
    out, begin = folder
    task = train.make_task(job(begin), job(begin).runs(), out)
    whole = whole_network(parents).state_dict()
    new = {"classifier.weight", "classifier.bias"}
    assert {name for name in task.parameters if name not in new} <= set(whole)
    for name, value in task.init().items():
        assert name in new or torch.equal(value[0], whole[name])
    for name, value in task.buffers.items():
        assert torch.equal(value, whole[name])
    assert task.groups.sets == {"majority": [0, 2], "minority": [1, 3]}
    found = task.evaluate(task.init())
    accuracy = [found["test", f"class_{c}", "accuracy"].item() for c in (1, 3)]
    assert found["test", "minority", "accuracy"].item() == pytest.approx(np.mean(accuracy))


def test_half_of_a_batch_is_mirrored(folder):
    out, begin = folder
    task = train.make_task(job(begin), job(begin).runs(), out)
    if begin == 0:
        assert task.mirrored is None
        return
    seen = []

    def outputs_of(inputs):
        seen.append(inputs)
        return torch.zeros(len(inputs), 4)

    which = torch.arange(24)
    task.loss(outputs_of, which, torch.Generator().manual_seed(0))
    plain, mirrored = task.train.inputs.read(which), task.mirrored.read(which)
    is_plain = (seen[0] == plain).all((1, 2, 3))
    is_mirrored = (seen[0] == mirrored).all((1, 2, 3))
    assert (is_plain ^ is_mirrored).all() and 4 < is_plain.sum() < 20


def test_weights_that_do_not_fit_are_refused(folder):
    out, begin = folder
    if begin:
        one = job(begin)
        one.settings["model"] = {"name": "resnet", "width": 8, "blocks": [1]}
        with pytest.raises(UserError, match=r"pretrained weights: blocks.2.\S+ is .*, in the model nothing"):
            train.make_task(one, one.runs(), out)


def test_other_parents_are_refused(parents, tmp_path):
    with pytest.raises(UserError, match="weights = .*built by step_imbalance; allowed: one built by network_weights"):
        transfer.build({"classes": 4}, {**parents, "weights": parents["pictures"]}, tmp_path / "out")
    with pytest.raises(UserError, match="classes = 10; allowed: 4, as the pictures have"):
        transfer.build({}, parents, tmp_path / "out")


@pytest.mark.parametrize("side", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_gradients_of_small_depthwise_maps(side, stride, kernel):
    rng = torch.Generator().manual_seed(side)
    x = torch.randn(3, 6, side, side, generator=rng, dtype=torch.float64)
    weight = torch.randn(6, 1, kernel, kernel, generator=rng, dtype=torch.float64)
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    results = []
    for convolve in (
        lambda x, w: depthwise.convolution(x, w, stride, before, after),
        lambda x, w: F.conv2d(F.pad(x, (before, after) * 2), w, None, stride, 0, 1, 6),
    ):
        leaves = [x.clone().requires_grad_(), weight.clone().requires_grad_()]
        y = convolve(*leaves)
        results.append([y, *torch.autograd.grad((y * torch.arange(y.numel()).view(y.shape)).sum(), leaves)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_papers_network(parents, tmp_path, monkeypatch):
    """ResNet-18 from a file of weights (here: random ones), with a new stem and a new last layer: one training step."""
    given = models.resnet18().state_dict()
    torch.save(given, tmp_path / "file")
    digest = hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest()
    source = dataclasses.replace(sources.get("resnet18_imagenet"), members={"weights": ("file", digest)})
    monkeypatch.setitem(sources.SOURCES, source.name, source)
    network_weights.build({"source": source.name}, {"weights": tmp_path / "file"}, tmp_path / "weights")
    config = {"classes": 4, "begin": 0, "new": ["conv1", "fc"]}
    transfer.build(config, {**parents, "weights": tmp_path / "weights"}, tmp_path / "data")
    settings = {
        "dataset": {"name": "finetuning", "builder": "transfer", "config": config},
        "model": {"name": "resnet", "arch": "resnet18"},
        "metrics": [],
        "evaluate": [],
        "augment": {"crop": 4, "flip": True},
    }
    described = dataclasses.replace(job(0), settings=settings)
    task = train.make_task(described, described.runs(), tmp_path / "data")
    params = task.init()
    for name, value in params.items():
        assert name in ("conv1.weight", "fc.weight", "fc.bias") or torch.equal(value[0], given[name])
    assert params["conv1.weight"].shape == (1, 64, 3, 3, 3) and params["fc.weight"].shape == (1, 4, 512)
    loss, grads, _ = task.gradients(params, False)
    assert torch.isfinite(loss).all() and all(torch.isfinite(grad).all() for grad in grads.values())
