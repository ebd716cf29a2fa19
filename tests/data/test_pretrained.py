"""Weights kept like a data set."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.pretrained import network_weights
from muon_imbalance.data.sources import torchvision_host
from muon_imbalance.data.sources.fetch import fetch
from muon_imbalance.data.store import manifest
from muon_imbalance.models.modules.efficientnet_lite import EfficientNetLite


def test_untrained_weights(tmp_path):
    network_weights.build({"untrained": "tiny"}, {}, tmp_path / "a")
    network_weights.build({"untrained": "tiny"}, {}, tmp_path / "b")
    network_weights.build({"untrained": "tiny", "seed": 1}, {}, tmp_path / "c")
    content = manifest.verify(tmp_path / "a", network_weights.describe)
    assert (content["kind"], content["label"]) == ("generated", "untrained weights")
    arrays = network_weights.load(tmp_path / "a")
    module = EfficientNetLite(size="tiny")
    module.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
    assert content["counts"]["weights"]["parameters"] == sum(p.numel() for p in module.parameters())
    assert content["sha256"] == manifest.read(tmp_path / "b")["sha256"] != manifest.read(tmp_path / "c")["sha256"]


def test_wrong_file_and_config_are_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"no weights")
    with pytest.raises(UserError, match="file: sha256 is .*expected 57934424"):
        network_weights.build({}, {"weights": tmp_path / "file"}, tmp_path / "out")
    with pytest.raises(UserError, match="gave no file for weights"):
        network_weights.build({}, {}, tmp_path / "out")
    with pytest.raises(UserError, match="source = 'vgg'; allowed: efficientnet_lite0"):
        network_weights.build({"source": "vgg"}, {}, tmp_path / "out")


@pytest.mark.network
def test_published_weights(tmp_path):
    source = sources.get("efficientnet_lite0")
    network_weights.build({}, fetch(source, tmp_path / "cache"), tmp_path / "out")
    content = manifest.verify(tmp_path / "out", network_weights.describe)
    assert content["counts"]["weights"]["parameters"] == 4_652_008
    arrays = network_weights.load(tmp_path / "out")
    EfficientNetLite().load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()})


def test_official_weights_are_fetched_once_and_checked(tmp_path, monkeypatch):
    content, asked = b"weights", []
    digest = hashlib.sha256(content).hexdigest()
    source = dataclasses.replace(
        sources.get("resnet18_imagenet"), members={"weights": ("resnet18-f37072fd.pth", digest)}
    )

    def download(url, path, hash_prefix, progress):
        asked.append((url, hash_prefix))
        Path(path).write_bytes(content)

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for _ in range(2):
        paths = torchvision_host.fetch(source, tmp_path)
    assert paths["weights"].read_bytes() == content
    assert len(asked) == 1 and asked[0][0].endswith("/resnet18-f37072fd.pth") and asked[0][1] == digest
    paths["weights"].write_bytes(b"other")
    with pytest.raises(UserError, match="its sha256 is .*, expected"):
        torchvision_host.fetch(source, tmp_path)

    def refuse(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(UserError, match="resnet18_imagenet: .* could not be fetched .no route"):
        torchvision_host.fetch(source, tmp_path / "elsewhere")
