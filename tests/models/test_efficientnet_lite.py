"""EfficientNet-Lite0: its size, what its cut preserves, its padding, and the names of the published file."""

import pytest
import torch
import torch.nn.functional as F

from muon_imbalance.common.errors import UserError
from muon_imbalance.models import registry
from muon_imbalance.models.modules import efficientnet_lite, pretrained_weights


@pytest.fixture
def tiny():
    module = efficientnet_lite.EfficientNetLite(10, size="tiny")
    efficientnet_lite.initial(module, torch.Generator().manual_seed(0))
    return module.eval()


def test_number_of_parameters_and_shapes():
    module = efficientnet_lite.EfficientNetLite().eval()
    assert sum(value.numel() for value in module.parameters()) == 4_652_008
    shapes = [tuple(module.lower(torch.zeros(1, 3, 64, 64), end).shape[1:]) for end in (0, 1, 3, 5, 8, 11, 15, 16)]
    assert shapes == [
        (32, 32, 32),
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (80, 4, 4),
        (112, 4, 4),
        (192, 2, 2),
        (320, 2, 2),
    ]
    assert module(torch.zeros(2, 3, 64, 64)).shape == (2, 1000)


def test_cut_network_gives_the_same_logits(tiny):
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for begin in range(1, tiny.end):
        lower = tiny.lower(x, begin)
        upper = efficientnet_lite.build(efficientnet_lite.Options(begin=begin, size="tiny"), lower.shape[1:], 10).eval()
        held = {name: value for name, value in tiny.state_dict().items() if name in upper.state_dict()}
        upper.load_state_dict(held)
        assert torch.equal(upper(lower), tiny(x))


def test_padding_is_that_of_tensorflow():
    """An even side and stride 2: nothing on the left, one pixel on the right."""
    layer = efficientnet_lite.Convolution(1, 1, 3, 2, 1, 0.1, linear=True).eval()
    x = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    expected = F.conv2d(F.pad(x, (0, 1, 0, 1)), layer.conv.weight, stride=2) / (1 + efficientnet_lite.EPS) ** 0.5
    torch.testing.assert_close(layer(x), expected)
    wrong = F.conv2d(x, layer.conv.weight, stride=2, padding=1) / (1 + efficientnet_lite.EPS) ** 0.5
    assert not torch.allclose(layer(x), wrong)


def test_scaled():
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(efficientnet_lite.scaled(images, 8), (images * 255 - 127) / 128)
    enlarged = efficientnet_lite.scaled(torch.full((1, 3, 4, 4), 0.5), 8)
    assert enlarged.shape == (1, 3, 8, 8) and torch.allclose(enlarged, torch.tensor((127.5 - 127) / 128))


def test_refused_configs():
    for config, shape, message in (
        ({"size": "lite9"}, (3, 64, 64), "size = 'lite9'; allowed: lite0, tiny"),
        ({"begin": 17}, (3, 64, 64), "begin = 17; allowed: 0 to 16"),
        ({"begin": 5}, (24, 8, 8), r"samples are \[24, 8, 8\]; allowed: \[40, rows, columns\] from block 5"),
    ):
        with pytest.raises(UserError, match=message):
            registry.chosen({"name": "efficientnet_lite"} | config, "m", "modules").build(shape, 10)


def test_names_of_the_published_file():
    """The rules cover the module's own names one to one."""
    theirs = {
        "_conv_stem.weight": "stem.conv.weight",
        "_bn0.running_var": "stem.norm.running_var",
        "_blocks.11._bn1.bias": "blocks.11.depthwise.norm.bias",
        "_blocks.3._project_conv.weight": "blocks.3.project.conv.weight",
        "_bn1.weight": "head.norm.weight",
        "_fc.bias": "classifier.bias",
    }
    own = efficientnet_lite.EfficientNetLite().state_dict()
    for name, ours in theirs.items():
        assert pretrained_weights.renamed(name, "efficientnet_lite0") == ours and ours in own
    with pytest.raises(UserError, match="no rule covers the tensor '_se.weight'"):
        pretrained_weights.renamed("_se.weight", "efficientnet_lite0")


def test_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"a": print}, tmp_path / "bad.pth")
    with pytest.raises(UserError, match="bad.pth is not a file of weights that can be read safely"):
        pretrained_weights.read(tmp_path / "bad.pth", "efficientnet_lite0")
