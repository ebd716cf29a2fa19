"""BERT's encoder: the published implementation, the last layer at one position, features, fine-tuning on them."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.pretrained import encoder_weights, text_features
from muon_imbalance.data.store import manifest
from muon_imbalance.data.text import toynli
from muon_imbalance.models import registry
from muon_imbalance.models.modules import bert, encoder
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.tasks import fine_tuning_on_features

SIZES = dict(zip(bert.KEYS, (24, 3, 4, 40, 60, 32, 2, 1e-12), strict=True))


def tensors(sizes=SIZES, seed=0):
    torch.manual_seed(seed)
    held = bert.Lower(sizes, sizes["num_hidden_layers"]).state_dict()
    width = sizes["hidden_size"]
    held |= {"pooler.dense.weight": torch.zeros(width, width), "pooler.dense.bias": torch.zeros(width)}
    return {name: torch.randn(value.shape) * 0.3 for name, value in held.items()}


def pairs(rows=5, length=9, vocabulary=60):
    rng = np.random.default_rng(0)
    ids = rng.integers(1, vocabulary, (rows, 2, length)).astype(np.uint16)
    ids[:, 1] = np.arange(length) > 4
    for row, end in enumerate(rng.integers(4, length + 1, rows)):
        ids[row, :, end:] = 0
    return torch.from_numpy(ids.astype(np.int64))


@pytest.mark.slow
def test_the_same_as_the_published_implementation():
    transformers = pytest.importorskip("transformers")
    from transformers.models.bert.modeling_bert import BertModel

    config = transformers.BertConfig(**SIZES, hidden_dropout_prob=0, attention_probs_dropout_prob=0)
    reference, held, ids = BertModel(config).eval(), tensors(), pairs()
    reference.load_state_dict(held, strict=False)
    with torch.no_grad():
        found = bert.load(bert.Lower(SIZES, 3), held)(ids[:, 0], ids[:, 1])
        mask = ids[:, 0] != 0
        expected = reference(ids[:, 0], attention_mask=mask.long(), token_type_ids=ids[:, 1])
        torch.testing.assert_close(found, expected.last_hidden_state * mask[..., None], atol=2e-5, rtol=1e-4)


def test_attention_written_out():
    """One head after the other, with NumPy."""
    held, ids = tensors(), pairs()
    layer = bert.load(bert.Layer(SIZES), {k[16:]: v for k, v in held.items() if k.startswith("encoder.layer.0.")})
    x, mask = torch.randn(5, 9, 24), ids[:, 0] != 0
    part = {k: v.numpy() for k, v in held.items() if k.startswith("encoder.layer.0.")}

    def affine(value, name):
        return value @ part[f"encoder.layer.0.{name}.weight"].T + part[f"encoder.layer.0.{name}.bias"]

    def norm(value, name):
        centred = value - value.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / scale * part[f"encoder.layer.0.{name}.weight"] + part[f"encoder.layer.0.{name}.bias"]

    value = x.numpy()
    q, k, v = (affine(value, f"attention.self.{name}") for name in ("query", "key", "value"))
    mixed = np.zeros_like(q)
    for h in range(4):
        cut = slice(6 * h, 6 * h + 6)
        scores = q[..., cut] @ k[..., cut].transpose(0, 2, 1) / np.sqrt(6)
        scores = np.where(mask.numpy()[:, None], scores, -np.inf)
        share = np.exp(scores - scores.max(-1, keepdims=True))
        mixed[..., cut] = share / share.sum(-1, keepdims=True) @ v[..., cut]
    attended = norm(affine(mixed, "attention.output.dense") + value, "attention.output.LayerNorm")
    inner = F.gelu(torch.from_numpy(affine(attended, "intermediate.dense"))).numpy()
    expected = norm(affine(inner, "output.dense") + attended, "output.LayerNorm")
    with torch.no_grad():
        np.testing.assert_allclose(layer(x, mask).numpy(), expected, atol=1e-4)


def test_first_position_alone_gives_the_same_numbers_and_gradients():
    layer = bert.Layer(SIZES)
    for value in layer.parameters():
        torch.nn.init.normal_(value, std=0.3)
    x, mask = torch.randn(5, 9, 24), pairs()[:, 0] != 0
    whole = layer(x, mask)[:, 0]
    wanted = torch.autograd.grad(whole.square().sum(), list(layer.parameters()), allow_unused=True)
    first = layer(x, mask, first=True)
    found = torch.autograd.grad(first.square().sum(), list(layer.parameters()), materialize_grads=True)
    torch.testing.assert_close(first, whole, atol=1e-5, rtol=1e-4)
    for name, a, b in zip(dict(layer.named_parameters()), found, wanted, strict=True):
        if not name.endswith("key.bias"):  # has no influence; zero up to rounding
            torch.testing.assert_close(a, b, atol=2e-3, rtol=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    base = tmp_path_factory.mktemp("features")
    toynli.build({"train": 240, "validation_per_group": 4, "test_per_group": 4}, {}, base / "toynli")
    encoder_weights.build({"untrained": True, "layers": 2}, {}, base / "encoder")
    parents = {"samples": base / "toynli", "encoder": base / "encoder"}
    text_features.build({"lower": 1}, parents, base / "features")
    text_features.build({"lower": 0}, parents, base / "pieces")
    return base


def model_of(path, config):
    shape = text_features.load(path, "test")["features"].shape[2:]
    return fine_tuning_on_features.pretrained(
        registry.chosen(config, "m", "modules").build(shape, 3), text_features.weights(path)
    ).eval()


def test_frozen_features_and_the_upper_part_make_the_whole_network(folder):
    held = manifest.verify(folder / "features", text_features.describe)
    assert held["kind"] == "generated" and "1 of 2 layers frozen" in held["label"]
    sizes = json.loads(encoder_weights.load(folder / "encoder")["sizes"].tobytes())
    small = {"name": "encoder", "heads": 2, "inner": 64, "dropout": 0.5}
    whole = small | {"layers": 2, "width": 32, "vocabulary": sizes["vocab_size"], "positions": 64}
    upper, both = model_of(folder / "features", small), model_of(folder / "pieces", whole)
    both.classifier.load_state_dict(upper.classifier.state_dict())
    inputs = [
        torch.from_numpy(text_features.load(folder / name, "test")["features"][0]) for name in ("features", "pieces")
    ]
    with torch.no_grad():
        torch.testing.assert_close(upper(inputs[0].float()), both(inputs[1].int()), atol=2e-3, rtol=2e-2)


def job(**changes):
    given = {"experiment": "e", "optimizer": "sgd", "phase": "grid", "task": "fine_tuning_on_features", "rule": "sgd",
             "chunk": 100,
             "cells": [{"lr": "0.1"}], "seeds": [0], "record": {"every": 1}, "epochs": 2, "batch": 60}  # fmt: skip
    return Job(**given | changes)


def settings(path, **model):
    dataset = {"name": path.name, "builder": "text_features", "config": {}}
    model = {"name": "encoder", "heads": 2, "inner": 64} | model
    return {"dataset": dataset, "model": model, "metrics": [], "evaluate": ["validation", "test"]}


def task_of(path, seed=0, **model):
    described = job(settings=settings(path, **model), seeds=[seed])
    return train.make_task(described, described.runs(), path)


def test_the_task_counts_each_group(folder):
    path = folder / "features"
    task = task_of(path)
    params = task.init()
    assert task.samples == 240 and task.per_epoch == 4
    torch.testing.assert_close(
        params["layers.0.output.dense.weight"][0],
        torch.from_numpy(text_features.weights(path)["layers.0.output.dense.weight"]),
    )
    found = {key: float(value) for key, value in task.evaluate(params).items()}
    held = text_features.load(path, "test")
    predicted = task.module.eval()(torch.from_numpy(held["features"][0]).float()).argmax(1).numpy()
    right = predicted == held["label"][0]
    each = [right[held["group"][0] == g].mean() for g in range(6)]
    assert [found["test", name, "accuracy"] for name in toynli.GROUPS] == pytest.approx(each)
    assert found["test", "worst", "accuracy"] == pytest.approx(min(each))
    assert found["test", "balanced", "accuracy"] == pytest.approx(np.mean(each))
    _, grads, _ = task.gradients(params, measure=False)
    assert set(grads) == set(params) and all(float(g.abs().sum()) > 0 for n, g in grads.items() if "key.bias" not in n)


def test_classifiers_differ_by_seed_and_weights_must_fit(folder):
    path = folder / "features"
    first, second = (task_of(path, seed).init() for seed in (0, 1))
    assert not torch.equal(first["classifier.weight"], second["classifier.weight"])
    assert torch.equal(first["pooler.dense.weight"], second["pooler.dense.weight"])
    with pytest.raises(UserError, match=r"layers.0.intermediate.dense.bias is \(64,\), in the model \(48,\)"):
        task_of(path, inner=48)
    with pytest.raises(UserError, match="heads is 5; allowed: a divisor of the width 32"):
        encoder.build(encoder.Options(heads=5), (9, 32), 3)


def test_refusals(folder, tmp_path):
    parents = {"samples": folder / "toynli", "encoder": folder / "encoder"}
    with pytest.raises(UserError, match="lower = 7; allowed: up to 2, as the encoder has"):
        text_features.build({"lower": 7}, parents, tmp_path / "x")
    with pytest.raises(UserError, match="no parent 'encoder'; allowed: one built by encoder_weights"):
        text_features.build({}, {"samples": folder / "toynli"}, tmp_path / "x")
    bad = tmp_path / "config.json"
    bad.write_text(json.dumps({"model_type": "gpt2"}), encoding="utf-8")
    with pytest.raises(UserError, match="model_type = 'gpt2'; allowed: 'bert'"):
        bert.read_config(bad)
    fake = {role: bad for role in ("weights", "sizes", "tokenizer")}
    with pytest.raises(UserError, match="sha256 is .*, expected .*minilm_l6"):
        encoder_weights.build({}, fake, tmp_path / "x")
