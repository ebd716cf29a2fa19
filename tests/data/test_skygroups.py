"""skygroups: the blue border, CelebA's proportions, no photo twice; features of photos."""

import numpy as np
import pytest

from muon_imbalance.common.apportion import by_largest_remainder
from muon_imbalance.common.errors import UserError
from muon_imbalance.data.photos import skygroups
from muon_imbalance.data.pretrained import feature_sets, image_features, network_weights
from muon_imbalance.data.store import array_files, manifest

SMALL = {"train": 200, "validation_per_group": 3, "test_per_group": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("sky") / "skygroups"
    skygroups.build(SMALL, {}, out)
    return out


def test_blue_border_by_the_formula_pixel_by_pixel():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)
    images[1, :, :] = (60, 120, 220)
    images[2, 4:-4, 4:-4] = (60, 120, 220)
    expected = []
    for image in images / np.float32(255):
        blue = count = 0
        for y in range(32):
            for x in range(32):
                if min(x, y) < 4 or max(x, y) >= 28:
                    r, g, b = image[y, x]
                    count += 1
                    blue += b >= g >= r - np.float32(0.02) and b - r > np.float32(0.06) and max(r, g, b) > 0.3
        expected.append(blue / count)
    np.testing.assert_allclose(skygroups.blue_share(images), expected, atol=1e-3)
    assert skygroups.blue_share(images)[1] == 1 and skygroups.blue_share(images)[2] < 0.3
    assert skygroups.groups_of(images[[1, 1]], np.array([3, 9])).tolist() == [3, 1]
    half = images[1].copy()
    half[:, :16] = 0
    assert skygroups.groups_of(half[None], np.array([0])).tolist() == [-1]


def test_proportions_groups_and_no_photo_twice(folder):
    counts = manifest.verify(folder, skygroups.describe)["counts"]
    assert [counts["train"][name] for name in skygroups.GROUPS] == by_largest_remainder(200, skygroups.CELEBA).tolist()
    np.testing.assert_array_equal(by_largest_remainder(162770, skygroups.CELEBA).tolist(), [71629, 66874, 22880, 1387])
    assert {counts["test"][name] for name in skygroups.GROUPS} == {4}
    seen = set()
    for split in skygroups.SPLITS:
        held = skygroups.load(folder, split)
        images, label, group = (held[name][0] for name in ("images", "label", "group"))
        np.testing.assert_array_equal(label, group // 2)
        np.testing.assert_array_equal(group % 2, skygroups.blue_share(images) > 0.5)
        keys = {image.tobytes() for image in images}
        assert len(keys) == len(images) and not keys & seen
        seen |= keys


def test_photos_of_a_parent(tmp_path, folder):
    pool = skygroups._drawings(np.random.default_rng(5), {"train": 60, "test": 20})
    facts = {"name": "cifar10", "kind": "real", "label": "photos", "source": {}, "licence": "l", "citation": "c",
             "builder": "cifar10"}  # fmt: skip
    text = manifest.json.dumps(dict.fromkeys(manifest.KEYS, "x") | facts)
    array_files.publish(tmp_path / "cifar10", pool, text)
    config = {"train": 30, "validation_per_group": 2, "test_per_group": 5}
    skygroups.build(config, {"photos": tmp_path / "cifar10"}, tmp_path / "out")
    held = manifest.verify(tmp_path / "out", skygroups.describe)
    assert held["kind"] == "real-other" and "not CelebA" in held["label"]
    known = {image.tobytes() for image in pool["test_images"]}
    assert {image.tobytes() for image in skygroups.load(tmp_path / "out", "test")["images"][0]} <= known
    with pytest.raises(UserError, match="test needs 50 vehicle_plain; allowed: up to 20"):
        skygroups.build(config | {"test_per_group": 50}, {"photos": tmp_path / "cifar10"}, tmp_path / "no")


def test_features_are_those_of_the_lower_blocks(tmp_path, folder):
    import torch

    from muon_imbalance.models.modules import efficientnet_lite

    network_weights.build({"untrained": "tiny"}, {}, tmp_path / "weights")
    config = {"begin": 3, "side": 32, "size": "tiny"}
    image_features.build(config, {"samples": folder, "weights": tmp_path / "weights"}, tmp_path / "features")
    held = manifest.verify(tmp_path / "features", image_features.describe)
    assert held["kind"] == "generated" and held["counts"]["train"]["all"] == 200
    whole = efficientnet_lite.EfficientNetLite(size="tiny")
    state = network_weights.load(tmp_path / "weights")
    whole.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    images = torch.from_numpy(skygroups.load(folder, "test")["images"][0]).permute(0, 3, 1, 2).float() / 255
    upper = efficientnet_lite.EfficientNetLite(begin=3, size="tiny").eval()
    weights = feature_sets.weights(tmp_path / "features")
    upper.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    features = torch.from_numpy(image_features.load(tmp_path / "features", "test")["features"][0]).float()
    with torch.no_grad():
        expected = whole.eval()(efficientnet_lite.scaled(images, 32))
        torch.testing.assert_close(upper(features), expected, atol=2e-2, rtol=2e-2)  # features are float16
