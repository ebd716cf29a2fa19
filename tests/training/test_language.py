"""The transformer, next-token prediction on buckets and additions, and its loss; checked from the formulas in NumPy."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import array_files
from muon_imbalance.data.text import addk, corpus, toystories
from muon_imbalance.models import registry
from muon_imbalance.models.modules import transformer
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.tasks import language

WORDS = {"names": 8, "things": 12, "qualities": 6, "verbs": 4, "places": 4, "sounds": 6}
SIZES = {"layers": 2, "width": 12, "heads": 3, "feed_forward": 20}
MODEL = {"name": "transformer", "dropout": 0.1} | SIZES


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("language") / "toystories"
    config = {"train": 40, "validation": 12, "words": WORDS, "windows": "texts", "context": 66}
    toystories.build(config, {}, out)
    return out


@pytest.fixture(scope="module")
def mixture(toy) -> Path:
    config = {"texts": 27, "additions": 3, "validation_texts": 8, "validation_additions": 5}
    shared = {"tokenizer": "word", "windows": "texts", "context": 66}
    addk.build(config | shared, {"toystories": toy}, toy.parent / "addk")
    return toy.parent / "addk"


def job(builder="toystories", **changes) -> Job:
    settings = {"dataset": {"name": builder, "builder": builder, "config": {}}, "model": MODEL}
    described = {
        "experiment": "e", "optimizer": "muon", "phase": "final", "task": "language", "rule": "muon",
        "cells": [{"lr": "0.02", "momentum": "0.95"}], "seeds": [0], "epochs": 2, "batch": 8, "record": {"every": 1},
        "warmup": 2, "clip": 1.0, "hyper": {"adam_on": "embedding|position", "adam_lr": 0.003}, "chunk": 5,
        "settings": settings,
    }  # fmt: skip
    return Job(**(described | changes))


def task(folder: Path, builder="toystories", **changes) -> language.Language:
    made = job(builder, **changes)
    return train.make_task(made, made.runs()[:1], folder)


# --- the model ------------------------------------------------------------------------------------------------


def reference(model: transformer.Transformer, tokens: np.ndarray) -> np.ndarray:
    """Logits of one text from the formulas, in NumPy."""
    p = {name: value.detach().double().numpy() for name, value in model.named_parameters()}

    def norm(h, name):
        centred = h - h.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]

    h = p["embedding.weight"][tokens] + p["position.weight"][: len(tokens)]
    for i in range(SIZES["layers"]):
        block, size = f"blocks.{i}", SIZES["width"] // SIZES["heads"]
        z, added = norm(h, f"{block}.attention_norm"), []
        for head in range(SIZES["heads"]):
            part = slice(head * size, (head + 1) * size)
            q, k, v = (z @ p[f"{block}.attention.{name}.weight"][part].T for name in ("query", "key", "value"))
            scores = q @ k.T / np.sqrt(size)
            scores[np.triu_indices(len(tokens), 1)] = -np.inf
            weights = np.exp(scores - scores.max(1, keepdims=True))
            added.append(weights / weights.sum(1, keepdims=True) @ v)
        h = h + np.concatenate(added, 1) @ p[f"{block}.attention.out.weight"].T
        z = norm(h, f"{block}.feed_norm")
        h = h + np.maximum(z @ p[f"{block}.up.weight"].T, 0) @ p[f"{block}.down.weight"].T
    return norm(h, "norm") @ p["embedding.weight"].T


def test_logits_follow_the_formulas():
    torch.manual_seed(0)
    model = transformer.build(transformer.Options(**SIZES), (10,), 17).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    tokens = torch.randint(0, 17, (3, 10))
    with torch.no_grad():
        logits = model(tokens)
        wanted = torch.rand(3, 10) < 0.5
        for found, expected in ((model(tokens, wanted), logits[wanted]), (model(tokens[:, :4]), logits[:, :4])):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)  # a library may add up in another order
    for row in range(3):
        np.testing.assert_allclose(logits[row].numpy(), reference(model, tokens[row].numpy()), atol=1e-9)


def test_initial_weights():
    """N(0, 0.02^2), smaller where a matrix writes into the residual stream; vectors are ones and zeros."""
    torch.manual_seed(0)
    model = transformer.build(transformer.Options(layers=8, width=64, heads=4, feed_forward=256), (32,), 500)
    for name, value in model.named_parameters():
        if value.ndim == 2:
            expected = 0.02 / 4 if name.endswith(("out.weight", "down.weight")) else 0.02
            assert float(value.std()) == pytest.approx(expected, rel=0.1), name
        else:
            assert set(value.tolist()) == ({0.0} if name.endswith("bias") else {1.0})
    assert sum("embedding" in name for name, _ in model.named_parameters()) == 1, "tied"


def refused(**change):
    registry.chosen(MODEL | change, "m", "modules")


def test_dropout_keeps_the_mean_and_rests_in_evaluation():
    drop, ones = transformer.Dropout(0.1), torch.ones(301, 1001)
    torch.manual_seed(0)
    out = drop(ones)
    assert float((out == 0).float().mean()) == pytest.approx(0.1, abs=0.005)
    assert float(out.max()) == pytest.approx(1 / 0.9, rel=1e-4)
    dropped = (out == 0).float()[:, :1000].reshape(-1, 4)  # numbers that come from one draw of 64 bits
    assert float(torch.corrcoef(dropped.T).fill_diagonal_(0).abs().max()) < 0.02
    assert torch.equal(drop.eval()(ones), ones)
    with pytest.raises(UserError, match="dropout = 1; allowed: a number from 0 below 1"):
        refused(dropout=1)


@pytest.mark.parametrize(("change", "told"), [({"heads": 5}, "width = 12; allowed: a multiple of heads, 5")])
def test_model_refusals(change, told):
    with pytest.raises(UserError, match=told):
        refused(**change)
    with pytest.raises(UserError, match="'heads' is missing"):
        registry.chosen({"name": "transformer", "layers": 1, "width": 4}, "m", "modules")


# --- loss and metrics -------------------------------------------------------------------------------------------


def test_cross_entropy_and_its_gradient_are_torchs():
    logits = torch.randn(40, 23, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 23, (40,))
    own, theirs = language.CrossEntropy.apply(logits, targets), F.cross_entropy(logits, targets)
    torch.testing.assert_close(own, theirs)
    for found, expected in ((own * 3, theirs * 3),):
        torch.testing.assert_close(*(torch.autograd.grad(x, logits, retain_graph=True)[0] for x in (found, expected)))


def test_the_loss_is_the_mean_over_tokens_without_padding(toy):
    made = task(toy)
    made.module.eval()
    which = torch.tensor([3, 0, 7])
    loss = made.loss(made.outputs_of, which, torch.Generator())
    windows = corpus.load(toy, "train", [0])["windows"][which.numpy()]
    inputs, targets = torch.from_numpy(windows[:, :-1].clip(0)), torch.from_numpy(windows[:, 1:])
    expected = F.cross_entropy(made.module(inputs).flatten(0, 1), targets.flatten(), ignore_index=-1)
    torch.testing.assert_close(loss, expected)


def test_metrics_are_recounted_from_the_logits(toy):
    made = task(toy)
    torch.manual_seed(1)
    params = {name: torch.randn_like(value) * 0.3 for name, value in made.init().items()}
    found = made.evaluate(params)
    made.module.eval()
    held = array_files.read_arrays(toy)
    totals = recounted(made, held, *(corpus.load(toy, "validation", [0])[key] for key in ("windows", "best_1")))
    for name, rows in totals.items():
        accuracy, top5, loss, count, known = np.sum(rows, axis=0)
        assert found["validation", name, "tokens"].item() == count == len(rows)
        for metric, value in (("accuracy", accuracy), ("top5", top5), ("loss", loss)):
            assert found["validation", name, metric].item() == pytest.approx(value / count, rel=1e-5)
        assert found["validation", name, "ceiling_share"].item() == pytest.approx(accuracy / known, rel=1e-6)
    assert {key[1] for key in found} == set(totals) >= {"all", "rare", "middle", "frequent", "lower_half"}
    windows = corpus.load(toy, "train", [0])["windows"]
    totals = recounted(made, held, windows, np.ones_like(windows[:, 1:]))
    assert {key[1] for key in found if key[0] == "train"} == set(totals)
    for name, rows in totals.items():
        accuracy, _, loss, _, _ = np.mean(rows, axis=0)
        assert found["train", name, "accuracy"].item() == pytest.approx(accuracy, rel=1e-6)
        assert found["train", name, "loss"].item() == pytest.approx(loss, rel=1e-5)


def recounted(made, held, windows, limits):
    """Of each target in a group: is it first, is it in the first five, ``-ln p``, 1, its limit."""
    totals = {}
    for window, best in zip(windows, limits, strict=True):
        logits = made.module(torch.from_numpy(window[None, :-1].clip(0)))[0].detach().numpy().astype(float)
        for scores, target, known in zip(logits, window[1:], best, strict=True):
            if target <= 0:
                continue
            order = np.argsort(-scores, kind="stable")
            nats = np.log(np.exp(scores).sum()) - scores[target]
            row = [order[0] == target, target in order[:5], nats, 1.0, known]
            names = ["all"] + [name for name in corpus.BUCKETS if corpus.in_bucket(held, name)[target]]
            for name in names:
                totals.setdefault(name, []).append(row)
    return totals


def test_the_clock_reads_the_same_windows_for_all_optimizers(toy):
    few = job().settings | {"clock_windows": 7}
    one = task(toy, settings=few)
    two = task(toy, settings=few, rule="adam", optimizer="adam", cells=[{"lr": "0.1"}], hyper={})
    assert torch.equal(one.clock, two.clock) and len(one.clock) == 7
    own, whole = one.evaluate(one.init()), task(toy).evaluate(one.init())
    assert own["train", "all", "loss"].item() == pytest.approx(whole["train", "all", "loss"].item(), rel=0.05)
    assert own["train", "all", "loss"] != whole["train", "all", "loss"]


def test_exact_match_is_greedy_decoding(mixture):
    """A model made to favour a held-out answer solves that line; free decoding writes the same tokens."""
    made = task(mixture, "addk")
    held = array_files.read_arrays(mixture)
    rows, marked = held["additions"], held["answers"]
    params = {name: value.clone() for name, value in made.init().items()}
    adam = job("addk", rule="adam", optimizer="adam", cells=[{"lr": "0.02"}], hyper={})
    optimizer = train.make_optimizer(adam, adam.runs(), 200)
    made.train = torch.from_numpy(rows.astype(np.int64))  # learn the held-out lines by heart
    state = optimizer.init(params)
    for _ in range(60):
        made._bind(params)
        loss = made.loss(made.outputs_of, torch.arange(len(rows)), torch.Generator())
        grads = torch.autograd.grad(loss, list(made.parameters.values()))
        named = {name: g.unsqueeze(0) for name, g in zip(made.parameters, grads, strict=True)}
        params, state = optimizer.step(params, named, state)
    found = made.evaluate(params)
    made.module.eval()
    solved = []
    for row, answer in zip(rows, marked, strict=True):
        first, last = np.flatnonzero(answer)[[0, -1]]
        line = [int(token) for token in row[:first]]
        while len(line) <= last:
            line.append(int(made.module(torch.tensor([line]))[0, -1].argmax()))
        solved.append(line == row[: last + 1].tolist())
    assert 0 < np.mean(solved) and found["validation", "additions", "exact_match"].item() == np.mean(solved)
    digits = found["validation", "additions", "accuracy"].item()
    assert digits >= np.mean(solved)


# --- training -----------------------------------------------------------------------------------------------------


def table(folder, where, **changes):
    described = job(**changes)
    with Checkpoints(where, "x") as checkpoints:
        return train.run_job(described, folder, [], checkpoints).to_pandas()


def test_a_run_learns_and_is_the_same_again(toy, tmp_path):
    first, second = table(toy, tmp_path / "a"), table(toy, tmp_path / "b")
    assert first.equals(second) and sorted(first["epoch"].unique()) == [0, 1, 2]
    loss = first[(first["metric"] == "loss") & (first["group"] == "all") & (first["split"] == "validation")]
    assert loss["value"].is_monotonic_decreasing and not first["diverged"].any()
    assert np.exp(loss["value"].iloc[0]) == pytest.approx(len(array_files.read_arrays(toy)["count"]), rel=0.1)


def test_optimizers_see_the_same_batches_and_weights(toy):
    one, two = task(toy), task(toy, rule="adam", optimizer="adam", cells=[{"lr": "0.1"}], hyper={})
    for name, value in one.init().items():
        assert torch.equal(value, two.init()[name])
    params = one.init()
    (_, first, _), (_, second, _) = (made.gradients(copy.deepcopy(params), False) for made in (one, two))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_schedule_moves_both_learning_rates_of_muon(toy):
    """In the first of two warm-up steps matrices under Muon and those under Adam both take half of their step."""
    made = task(toy)
    params = made.init()
    _, grads, _ = made.gradients(params, False)
    moved = {}
    for warmup in (0, 2):
        optimizer = train.make_optimizer(job(warmup=warmup), job(warmup=warmup).runs(), 10)
        before = {name: value.clone() for name, value in params.items()}  # the step is made in their memory
        new, _ = optimizer.step(before, grads, optimizer.init(params))
        moved[warmup] = {name: (new[name] - params[name]).norm().item() for name in params}
    for name in ("embedding.weight", "position.weight", "blocks.0.up.weight", "norm.weight"):
        assert moved[2][name] == pytest.approx(moved[0][name] / 2, rel=1e-3), name
