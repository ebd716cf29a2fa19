"""Colored-MNIST as a training task: every metric recomputed in plain NumPy from rendered images."""

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.digits import colored_mnist, mnist
from muon_imbalance.data.store import manifest
from tests.training.small_tasks import made

SETTINGS = {
    "dataset": {"name": "colored", "builder": "colored_mnist", "config": {}},
    "model": {"name": "mlp", "hidden": [6]},
    "metrics": ["group_loss"],
    "evaluate": ["validation", "test"],
    "pixel_range": [-1, 1],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    base = tmp_path_factory.mktemp("data")
    arrays = {}
    for split, n in (("train", 400), ("test", 100)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(n) % 10).astype(np.uint8)
    facts = {"name": "mnist", "kind": "generated", "label": "noise", "source": {}, "licence": "-", "citation": "-"}
    manifest.write(base / "mnist", arrays, facts | {"builder": "mnist", "config": {}}, mnist.describe(arrays))
    config = {"correlation": 0.9, "train": 200, "validation": 40, "test": 50, "repetitions": 3}
    colored_mnist.build(config, {"mnist": base / "mnist"}, base / "colored")
    return base / "colored"


@pytest.fixture(scope="module")
def task(folder):
    return made("stacked_classification", SETTINGS, [2, 0], folder)


def forward(params, model, x):
    """Two-layer network in NumPy; x: [n, 3 * P]."""
    w = {name: value[model].numpy() for name, value in params.items()}
    hidden = np.maximum(x @ w["layers.0.weight"].T + w["layers.0.bias"], 0)
    return hidden @ w["layers.1.weight"].T + w["layers.1.bias"]


def pixels(grey, colour, background):
    return 2 * colored_mnist.render(grey, colour, background).reshape(len(grey), -1) - 1


def cross_entropy(z, y):
    return np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]


def test_train_metrics(task, folder):
    params = task.init()
    loss, _, measured = task.gradients(params, True)
    for model, repetition in enumerate((2, 0)):
        held = {
            k: v[0] if k != "background" else v for k, v in colored_mnist.load(folder, "train", [repetition]).items()
        }
        z = forward(params, model, pixels(held["grey"], held["colour"], held["background"]).astype(float))
        losses = cross_entropy(z, held["label"])
        assert float(loss[model]) == pytest.approx(losses.mean(), rel=1e-6)
        for number, group in enumerate(("majority", "minority")):
            chosen = losses[held["group"] == number]
            assert float(measured["train", group, "loss"][model]) == pytest.approx(chosen.mean(), rel=1e-6)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_evaluation_shows_every_image_in_both_colours(task, folder, split):
    params = task.init()
    values = task.evaluate(params)
    for model, repetition in enumerate((2, 0)):
        held = colored_mnist.load(folder, split, [repetition])
        grey, label = held["grey"][0], held["label"][0]
        accuracy = {}
        for group, colour in (("majority", label), ("minority", 1 - label)):
            z = forward(params, model, pixels(grey, colour, held["background"]).astype(float))
            accuracy[group] = (z.argmax(1) == label).mean()
            assert float(values[split, group, "accuracy"][model]) == pytest.approx(accuracy[group])
            expected = cross_entropy(z, label).mean()
            assert float(values[split, group, "loss"][model]) == pytest.approx(expected, rel=1e-6)
        assert float(values[split, "balanced", "accuracy"][model]) == pytest.approx(np.mean(list(accuracy.values())))
        assert float(values[split, "worst", "accuracy"][model]) == pytest.approx(min(accuracy.values()))


def test_swapped_groups_are_noticed(task, folder, monkeypatch):
    """Mutation: calling the minority majority must break the comparison above."""
    from muon_imbalance.training import stacked_data

    monkeypatch.setattr(stacked_data, "COLOUR_GROUPS", ("minority", "majority"))
    wrong = made("stacked_classification", SETTINGS, [2, 0], folder)
    with pytest.raises(AssertionError):
        test_train_metrics(wrong, folder)


def test_one_repetition_serves_a_whole_stack(folder):
    together = made("stacked_classification", SETTINGS, [1, 1], folder)
    loss, grads, _ = together.gradients(together.init(), False)
    for first, second in (loss, *grads.values()):
        torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-14)


def weighted_reference(folder, params, model, repetition):
    """Mean over groups of the group's mean cross-entropy, in NumPy from rendered images."""
    held = colored_mnist.load(folder, "train", [repetition])
    grey, colour, label, group = (held[name][0] for name in ("grey", "colour", "label", "group"))
    z = forward(params, model, pixels(grey, colour, held["background"]).astype(float))
    losses = cross_entropy(z, label)
    return np.mean([losses[group == number].mean() for number in (0, 1)]), losses.mean()


def test_weights_make_groups_count_alike(task, folder):
    """The objective is the mean of the groups' means; its gradient is that of finite differences."""
    weighted = made("stacked_classification", SETTINGS | {"weighting": "group"}, [2, 0], folder)
    params = weighted.init()
    loss, grads, measured = weighted.gradients(params, True)
    plain, plain_grads, _ = task.gradients(params, True)
    for model, repetition in enumerate((2, 0)):
        balanced, mean = weighted_reference(folder, params, model, repetition)
        assert float(loss[model]) == pytest.approx(balanced, rel=1e-6)
        assert float(measured["train", "balanced", "loss"][model]) == pytest.approx(balanced, rel=1e-6)
        assert float(measured["train", "all", "loss"][model]) == pytest.approx(mean, rel=1e-6) == float(plain[model])
        step = 1e-5
        for name, place in (("layers.1.weight", (model, 1, 3)), ("layers.0.bias", (model, 2))):
            ends = []
            for sign in (1, -1):
                moved = {key: value.clone() for key, value in params.items()}
                moved[name][place] += sign * step
                ends.append(weighted_reference(folder, moved, model, repetition)[0])
            assert float(grads[name][place]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-9)
            assert float(grads[name][place]) != pytest.approx(float(plain_grads[name][place]), rel=1e-2)


def test_weights_that_are_not_inverse_to_size_are_noticed(task, folder, monkeypatch):
    """Mutation: weights in proportion to the size of the group must break the comparison above."""
    from muon_imbalance.training.tasks import stacked_classification

    def wrong(split, dtype):
        return [1 / weight for weight in right(split, dtype)]

    right = stacked_classification.group_weights
    monkeypatch.setattr(stacked_classification, "group_weights", wrong)
    with pytest.raises(AssertionError):
        test_weights_make_groups_count_alike(task, folder)


def test_an_empty_group_cannot_be_weighted(folder):
    from muon_imbalance.training.tasks.stacked_classification import group_weights

    split = made("stacked_classification", SETTINGS, [0], folder).train
    for block in split.blocks:
        block.groups.zero_()
    with pytest.raises(UserError, match="a group has no training samples"):
        group_weights(split, torch.float64)


def test_accuracies_alone_are_counted_in_single_precision_and_are_the_same(task, folder):
    alone = made("stacked_classification", SETTINGS | {"metrics": []}, [2, 0], folder)
    assert alone.splits["test"].blocks[0].inputs.grey.dtype == torch.float32
    assert task.splits["test"].blocks[0].inputs.grey.dtype == torch.float64
    params = task.init()
    double, single = task.evaluate(params), alone.evaluate(params)
    assert len(single) == len(double) - 4  # without the losses of two groups on two splits
    for key, value in single.items():
        torch.testing.assert_close(value, double[key], rtol=0, atol=0)
