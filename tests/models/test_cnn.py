"""The convolutional network: its gradient is that of PyTorch's own layers, in both forms of the product."""

import pytest
import torch
import torch.nn.functional as F

from muon_imbalance.common.errors import UserError
from muon_imbalance.models import registry
from muon_imbalance.models.stacked import cnn

S, N, CLASSES = 2, 23, 11


def generators(count=S, seed=0):
    return [torch.Generator().manual_seed(seed + i) for i in range(count)]


def reference(params, model, images, side, layers):
    """Logits of one model with conv2d and max_pool2d."""
    hidden = images[model].view(-1, 1, side, side)
    for i in range(layers):
        weight, bias = params[f"conv.{i}.weight"][model], params[f"conv.{i}.bias"][model]
        hidden = F.max_pool2d(F.relu(F.conv2d(hidden, weight, bias, padding=2)), 2)
    return hidden.flatten(1) @ params["linear.weight"][model].T + params["linear.bias"][model]


def compare(side, channels, chunk=8, weighted=False):
    """Logits, losses and gradient of the stack against those of PyTorch, model by model."""
    rng = torch.Generator().manual_seed(7)
    images = torch.randn(S, N, side**2, generator=rng, dtype=torch.float64)
    images[:, :, : side * (side // 2)] = 0.0  # blank areas, as in digits: all four places of a window are equal
    targets = torch.randint(0, CLASSES, (S, N), generator=rng)
    model = cnn.build(cnn.Options(channels=channels), (side**2,), CLASSES)
    params = model.init(generators(), torch.float64)
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    logits = torch.stack([reference(leaves, s, images, side, len(channels)) for s in range(S)])
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(S, N)
    weights = torch.rand(S, N, generator=rng, dtype=torch.float64) if weighted else None
    ((losses if weights is None else weights * losses).sum() / N).backward()
    grads, seen = {name: torch.zeros_like(value) for name, value in params.items()}, []
    visit = lambda part, z, loss: seen.append((z, loss))  # noqa: E731
    model.accumulate(params, images, targets, 1 / N, chunk, grads, visit, weights)
    found, found_losses = (torch.cat(parts, 1) for parts in zip(*seen, strict=True))
    torch.testing.assert_close(found, logits.detach(), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(found_losses, losses.detach(), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(model.apply(params, images), logits.detach(), rtol=1e-11, atol=1e-12)
    pieces = torch.cat([z for _, z in model.logits(params, images, 5)], 1)
    torch.testing.assert_close(pieces, logits.detach(), rtol=1e-11, atol=1e-12)
    for name, leaf in leaves.items():
        torch.testing.assert_close(grads[name], leaf.grad, rtol=1e-10, atol=1e-12)
    return model


@pytest.mark.parametrize("small", [0, 10**9], ids=["windows", "whole image"])
@pytest.mark.parametrize(
    ("side", "channels"), [(14, [3, 5]), (28, [2, 3]), (15, [2, 3]), (9, [2, 2]), (7, [3]), (12, [2, 3, 2])]
)
def test_gradient_is_that_of_pytorch_layers(side, channels, small, monkeypatch):
    monkeypatch.setattr(cnn, "SMALL", small)
    assert compare(side, channels).whole == [bool(small)] * len(channels)


def test_gradient_of_weighted_samples():
    compare(14, [3, 5], weighted=True)


def test_both_forms_in_one_network(monkeypatch):
    monkeypatch.setattr(cnn, "SMALL", 150_000)  # entries: 4 x 4 x 49 x 196 and 4 x 5 x 9 x 4 x 49
    assert compare(14, [4, 5]).whole == [False, True]


def test_the_papers_layers_go_through_windows():
    """One matrix for all windows of its second layer would have 123 million entries."""
    model = cnn.build(cnn.Options(channels=[32, 100]), (784,), 20)
    assert model.whole == [False, False]
    assert model.shapes["linear.weight"] == (20, 4900)
    assert cnn.build(cnn.Options(channels=[4, 12]), (196,), 20).whole == [True, True]


def test_initial_weights():
    model = cnn.build(cnn.Options(channels=[16, 32]), (196,), 50)
    params = model.init(generators(), torch.float64)
    for name, fan_in in (("conv.0", 25), ("conv.1", 400), ("linear", 288)):
        for kind in ("weight", "bias"):
            assert 0.8 * fan_in**-0.5 < params[f"{name}.{kind}"].abs().max() <= fan_in**-0.5
    assert float(params["linear.weight"].std()) == pytest.approx((3 * 288) ** -0.5, rel=0.02)
    alone = model.init(generators(1, seed=1), torch.float64)
    for name, value in alone.items():
        assert torch.equal(params[name][1:2], value), "a model does not depend on its neighbours in the stack"


@pytest.mark.parametrize(
    ("features", "channels", "told"),
    [
        (195, [4], "images have 195 pixels; allowed: a square number"),
        (196, [2, 2, 2, 2], r"channels is \[2, 2, 2, 2\]; allowed: 1 to 3"),
    ],
)
def test_refusals(features, channels, told):
    with pytest.raises(UserError, match=f"model cnn: {told}"):
        cnn.build(cnn.Options(channels=channels), (features,), 5)


def test_it_is_registered():
    assert registry.MODELS.load("cnn") is cnn
    with pytest.raises(UserError, match=r"m.channels = \[\]; allowed: a list of whole numbers .* at least 1 entry"):
        registry.chosen({"name": "cnn", "channels": []}, "m", "stacked")


# --- mutations: each must break the comparison above --------------------------------------------------------


def _ties_count_twice(delta, b_over_a, d_over_c, second_over_first):
    return torch.stack([delta * (1 - b_over_a), delta * b_over_a, delta * (1 - d_over_c), delta * d_over_c], 1)


MUTATIONS = {
    "a place is missing": ("PLACES", ((0, 0), (0, 1), (1, 0), (1, 0))),
    "the gradient goes to two places": ("_to_largest", _ties_count_twice),
    "overlaps are not added": ("overlapped", lambda seen, shape: seen.new_zeros(shape)),
    "rows are shifted": ("windows", lambda images, real=cnn.windows: real(images.roll(1, 2))),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_layer_is_noticed(name, monkeypatch):
    attribute, wrong = MUTATIONS[name]
    monkeypatch.setattr(cnn, "SMALL", 0)
    monkeypatch.setattr(cnn, attribute, wrong)
    with pytest.raises(AssertionError):
        compare(14, [3, 5])


def test_of_equal_places_the_first_counts():
    one = torch.ones(1, 2, 3)
    best, *places = cnn._largest(one, one, one, one)
    assert torch.equal(best, one)
    placed = cnn._to_largest(5 * one, *places)
    assert (placed[:, 0] == 5).all() and not placed[:, 1:].any()
