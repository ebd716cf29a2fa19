"""Models: the written-out gradient equals automatic differentiation, and folded inputs equal rendered ones."""

import pytest
import torch
import torch.nn.functional as F

from muon_imbalance.common.errors import UserError
from muon_imbalance.models import registry
from muon_imbalance.models.stacked import linear, mlp
from muon_imbalance.models.stacked.inputs import Tinted

S, N, P, CLASSES = 3, 41, 10, 4


@pytest.fixture
def tinted():
    rng = torch.Generator().manual_seed(1)
    grey = torch.rand(S, N, P, generator=rng, dtype=torch.float64)
    scale, offset = (torch.tensor(v, dtype=torch.float64) for v in ((0.0, 2.0, 1.5), (1.0, -1.0, -0.5)))
    return Tinted(grey, scale, offset)


def generators(seed=0):
    return [torch.Generator().manual_seed(seed + i) for i in range(S)]


def models():
    return [
        mlp.build(mlp.Options(hidden=[7, 5]), (3 * P,), CLASSES),
        linear.build(linear.Options(init_std=0.3), (3 * P,), CLASSES),
    ]


@pytest.mark.parametrize("model", models(), ids=["mlp", "linear"])
@pytest.mark.parametrize("folded", [True, False])
def test_gradient_is_that_of_autograd(model, tinted, folded):
    inputs = tinted if folded else tinted.dense()
    targets = torch.randint(0, CLASSES, (S, N), generator=torch.Generator().manual_seed(2))
    params = model.init(generators(), torch.float64)
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    losses = F.cross_entropy(model.apply(leaves, tinted.dense()).flatten(0, 1), targets.flatten(), reduction="sum")
    (losses / N).backward()
    grads, seen = {name: torch.zeros_like(value) for name, value in params.items()}, []
    model.accumulate(params, inputs, targets, 1 / N, 16, grads, lambda part, logits, loss: seen.append(loss.sum()))
    for name, leaf in leaves.items():
        torch.testing.assert_close(grads[name], leaf.grad, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(sum(seen), losses.detach(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("model", models(), ids=["mlp", "linear"])
def test_gradient_of_weighted_samples_is_that_of_autograd(model, tinted):
    targets = torch.randint(0, CLASSES, (S, N), generator=torch.Generator().manual_seed(2))
    weights = torch.rand(S, N, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    params = model.init(generators(), torch.float64)
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    losses = F.cross_entropy(model.apply(leaves, tinted.dense()).flatten(0, 1), targets.flatten(), reduction="none")
    ((weights.flatten() * losses).sum() / N).backward()
    grads, seen = {name: torch.zeros_like(value) for name, value in params.items()}, []
    visit = lambda part, logits, loss: seen.append(loss.sum())  # noqa: E731
    model.accumulate(params, tinted, targets, 1 / N, 16, grads, visit, weights)
    for name, leaf in leaves.items():
        torch.testing.assert_close(grads[name], leaf.grad, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(sum(seen), losses.detach().sum(), rtol=1e-12, atol=0)  # visited losses have no weights


def test_folded_logits_equal_rendered_ones(tinted):
    model = models()[0]
    params = model.init(generators(), torch.float64)
    torch.testing.assert_close(model.apply(params, tinted), model.apply(params, tinted.dense()), rtol=1e-12, atol=1e-13)


def test_rendering_is_white_on_background():
    """grey 0 is the background, grey 1 is white, by the formula v * white + (1 - v) * background."""
    background = torch.tensor([1.0, 0.0, 0.0])
    image = Tinted(torch.tensor([[[0.0, 1.0, 0.25]]]), 1 - background, background).dense().reshape(3, 3)
    assert image[:, 0].tolist() == [1, 0, 0] and image[:, 1].tolist() == [1, 1, 1]
    assert image[:, 2].tolist() == [1, 0.25, 0.25]


def test_a_model_does_not_depend_on_its_neighbours_in_the_stack():
    model = models()[0]
    stacked = model.init(generators(), torch.float64)
    alone = model.init(generators()[1:2], torch.float64)
    for name, value in alone.items():
        assert torch.equal(stacked[name][1:2], value)


def test_pytorch_initialisation_range():
    params = mlp.build(mlp.Options(hidden=[64]), (100,), 2).init(generators(), torch.float64)
    for index, fan_in in ((0, 100), (1, 64)):
        for kind in ("weight", "bias"):
            assert params[f"layers.{index}.{kind}"].abs().max() <= fan_in**-0.5
    assert params["layers.0.weight"].std() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_unknown_model_is_refused():
    with pytest.raises(UserError, match="m.name: model 'resnet19' is unknown; allowed: cnn, linear, mlp, one_hidden$"):
        registry.chosen({"name": "resnet19"}, "m", "stacked")
    with pytest.raises(UserError, match="m.name: model 'mlp' is unknown; allowed: efficientnet_lite, "):
        registry.chosen({"name": "mlp"}, "m", "modules")


def test_a_wrong_gradient_is_noticed(tinted, monkeypatch):
    """Mutation: a dropped ReLU mask must break the comparison above."""
    from muon_imbalance.models.stacked import chain

    def wrong(_, layers, activations, delta, sums, grads):
        for i in range(len(layers) - 1, -1, -1):
            sums[i][0].baddbmm_(delta.mT, activations[i])
            sums[i][1].add_(delta.sum(1))
            delta = torch.bmm(delta, layers[i][0])

    monkeypatch.setattr(chain.Chain, "_backward", wrong)
    with pytest.raises(AssertionError):
        test_gradient_is_that_of_autograd(models()[0], tinted, True)
