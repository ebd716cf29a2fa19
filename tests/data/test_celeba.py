"""CelebA in its official format, and a torchvision network trained on it; tiny files, no network."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.photos import celeba
from muon_imbalance.data.pretrained import network_weights, portraits
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train

USERS = {"source": "celeba_folder", "verify": False}
GROUP_OF = {0: (-1, -1), 1: (-1, 1), 2: (1, -1), 3: (1, 1)}  # blond, male


@pytest.fixture
def official(tmp_path):
    """Twelve pictures: a group and a part of each kind; the colour of a picture tells its number."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    lines, parts = ["12", "Bald Blond_Hair Male Young"], []
    for number in range(12):
        name = f"{number + 1:06d}.jpg"
        colour = (20 * number, 255 - 20 * number, 128)
        Image.new("RGB", (178, 218), colour).save(folder / "img_align_celeba" / name, quality=95)
        blond, male = GROUP_OF[number % 4]
        lines.append(f"{name}  -1 {blond:2d} {male:2d}  1")
        parts.append(f"{name} {number // 4}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n", encoding="utf-8")
    return {"attributes": folder / "list_attr_celeba.txt", "partition": folder / "list_eval_partition.txt"}


def test_pictures_groups_and_parts(official, tmp_path):
    with pytest.raises(UserError, match="list_attr_celeba.txt: md5 is .*, expected 75e246fa"):
        celeba.build({}, official, tmp_path / "out")
    celeba.build(USERS, official, tmp_path / "out")
    held = manifest.verify(tmp_path / "out", celeba.describe)
    assert held["kind"] == "real-other" and "unverified" in held["label"]
    assert all(held["counts"][split][group] == 1 for split in celeba.SPLITS for group in celeba.GROUPS)
    arrays = celeba.load(tmp_path / "out", "validation")
    assert arrays["group"][0].tolist() == [0, 1, 2, 3] and arrays["label"][0].tolist() == [0, 0, 1, 1]
    end = arrays["jpeg_ends"][0][0]
    picture = celeba.decoded(arrays["jpeg_bytes"][0][:end], 178, 224)
    assert picture.shape == (224, 224, 3)
    np.testing.assert_allclose(picture.mean((0, 1)), (80, 175, 128), atol=2)  # number 4
    official["partition"].write_text("000001.jpg 0\n", encoding="utf-8")
    with pytest.raises(UserError, match="name different pictures"):
        celeba.build(USERS, official, tmp_path / "no")


def test_the_middle_is_cut_out():
    image = np.zeros((218, 178, 3), np.uint8)
    image[20:198] = 255
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=95)
    found = celeba.decoded(np.frombuffer(out.getvalue(), np.uint8), 178, 178)
    assert found.min() > 200


def test_a_torchvision_network_reads_them(official, tmp_path):
    from torchvision import models

    torch.manual_seed(0)
    network = models.resnet18(num_classes=1000)
    facts = {"name": "resnet18", "kind": "real", "label": "ResNet-18", "source": {}, "licence": "l", "citation": "c",
             "builder": "network_weights", "config": {}}  # fmt: skip
    arrays = {k: v.numpy() for k, v in network.state_dict().items()}
    manifest.write(tmp_path / "weights", arrays, facts, network_weights.describe(arrays))
    celeba.build(USERS, official, tmp_path / "celeba_set")
    portraits.build({}, {"samples": tmp_path / "celeba_set", "weights": tmp_path / "weights"}, tmp_path / "portraits")
    assert "ResNet-18" in manifest.verify(tmp_path / "portraits", portraits.describe)["label"]
    assert "weight/conv1.weight" in array_files.read_arrays(tmp_path / "portraits")
    job = Job(experiment="e", optimizer="sgd", phase="grid", task="fine_tuning_on_features", rule="sgd", chunk=4,
              cells=[{"lr": "0.1"}], seeds=[0], record={"every": 1}, epochs=1, batch=4)  # fmt: skip
    settings = {"dataset": {"name": "portraits", "builder": "portraits", "config": {}}, "evaluate": ["test"],
                "model": {"name": "resnet", "arch": "resnet18", "stem": "imagenet"}, "metrics": []}  # fmt: skip
    task = train.make_task(dataclasses.replace(job, settings=settings), job.runs(), tmp_path / "portraits")
    params = task.init()
    torch.testing.assert_close(params["conv1.weight"][0], network.conv1.weight.detach())
    assert params["fc.weight"].shape == (1, 2, 512)
    _, grads, _ = task.gradients(params, measure=True)
    assert float(grads["conv1.weight"].abs().sum()) > 0
    found = {key[1]: float(value) for key, value in task.evaluate(params).items()}
    network.fc = torch.nn.Linear(512, 2)
    network.fc.load_state_dict({"weight": params["fc.weight"][0], "bias": params["fc.bias"][0]})
    inputs = task.splits["test"].inputs.read(slice(0, 4))
    assert inputs.shape == (4, 3, 224, 224)
    with torch.no_grad():
        right = (network.eval()(inputs).argmax(1) == task.splits["test"].targets).double()
    assert [found[group] for group in celeba.GROUPS] == right.tolist()
    assert found["worst"] == right.min() and found["balanced"] == right.mean()
