"""MultiNLI in its official format, BERT's published files, both from a folder or the host; no network."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.pretrained import encoder_weights, text_features
from muon_imbalance.data.sources import hub
from muon_imbalance.data.sources.fetch import fetch_folder
from muon_imbalance.data.store import manifest
from muon_imbalance.data.text import multinli, sentence_pairs
from muon_imbalance.models.modules import bert

ROWS = [
    ("A man sings.", "Nobody sings.", "contradiction"),
    ("A man sings.", "Someone makes music.", "entailment"),
    ("A man sings.", "He has No friends.", "neutral"),
    ("A man sings.", "It is known.", "-"),
]


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "multinli_1.0"
    folder.mkdir()
    for name in ("train", "dev_matched", "dev_mismatched"):
        lines = [
            json.dumps(
                {
                    "annotator_labels": [label],
                    "gold_label": label,
                    "sentence1": f"{number} {first}",
                    "sentence2": second,
                    "pairID": "x",
                }
            )  # fmt: skip
            for number in range(10)
            for first, second, label in ROWS
        ]
        (folder / f"multinli_1.0_{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_official_files_from_a_folder(corpus, tmp_path, monkeypatch):
    paths = fetch_folder(corpus, sources.get("multinli_folder").members)
    config = {"source": "multinli_folder"}
    with pytest.raises(UserError, match="has 30 labelled pairs, expected 392,702"):
        multinli.build(config, paths, tmp_path / "out")
    multinli.build(config | {"verify": False}, paths, tmp_path / "user")
    assert manifest.verify(tmp_path / "user", multinli.describe)["kind"] == "real-other"
    monkeypatch.setattr(multinli, "PAIRS", dict.fromkeys(multinli.PAIRS, 30))
    multinli.build(config, paths, tmp_path / "out")
    held = manifest.verify(tmp_path / "out", multinli.describe)
    assert held["kind"] == "real" and held["label"] == "MultiNLI"
    assert [held["counts"][split]["all"] for split in multinli.SPLITS] == [45, 18, 27]
    assert sum(held["counts"][split]["neutral_negation"] for split in multinli.SPLITS) == 30
    assert sum(held["counts"][split]["entailment_negation"] for split in multinli.SPLITS) == 0
    for split in multinli.SPLITS:
        label, group = (multinli.load(tmp_path / "out", split)[name][0] for name in ("label", "group"))
        for (_, second), y, g in zip(sentence_pairs.pairs_of(tmp_path / "out", split), label, group, strict=True):
            known = {row[1]: row[2] for row in ROWS}
            assert sentence_pairs.LABELS[y] == known[second] and g == 2 * y + (
                second in ("Nobody sings.", "He has No friends.")
            )


def test_lines_that_are_no_pairs(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"sentence1": "a"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="line 1: no sentence pair"):
        multinli.read(path)
    path.write_text('{"sentence1": "a", "sentence2": "b", "gold_label": "yes"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="gold_label = 'yes'; allowed: contradiction, entailment, neutral, -"):
        multinli.read(path)


def test_from_the_host_in_the_same_format(tmp_path, monkeypatch):
    numbers = {"entailment": 0, "neutral": 1, "contradiction": 2, "-": -1}
    rows = [{"premise": a, "hypothesis": b, "label": numbers[label]} for a, b, label in ROWS]
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return rows

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    paths = hub.fetch(sources.get("multinli_hub"), tmp_path)
    assert asked[1] == ("nyu-mll/multi_nli", "validation_matched") and set(paths) == set(multinli.PAIRS)
    assert multinli.read(paths["train"]) == ROWS[:3]
    assert hub.fetch(sources.get("multinli_hub"), tmp_path) == paths and len(asked) == 3  # from the cache

    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=unreachable))
    with pytest.raises(UserError, match="no route to host.*bert_base_folder"):
        hub.fetch(sources.get("bert_base_hub"), tmp_path)


def test_bert_from_a_folder_of_its_published_files(tmp_path, corpus):
    sizes = dict(zip(bert.KEYS, (16, 2, 2, 24, 8, 32, 2, 1e-12), strict=True))
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(sizes | {"model_type": "bert", "hidden_act": "gelu"}))
    (folder / "tokenizer.json").write_bytes(encoder_weights._word_tokenizer())
    torch.manual_seed(0)
    state = bert.Lower(sizes, 2).state_dict()
    published = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in state.items()
    } | {"bert.pooler.dense.weight": torch.ones(16, 16), "bert.pooler.dense.bias": torch.ones(16),
         "cls.predictions.bias": torch.zeros(8)}  # fmt: skip
    save_file(published, folder / "model.safetensors")
    paths = fetch_folder(folder, sources.get("bert_base_folder").members)
    encoder_weights.build({"source": "bert_base_folder"}, paths, tmp_path / "encoder")
    held = encoder_weights.load(tmp_path / "encoder")
    for name, value in state.items():
        np.testing.assert_array_equal(held[f"tensor/{name}"], value.numpy())
    assert manifest.verify(tmp_path / "encoder", encoder_weights.describe)["label"] == "BERT-base (uncased)"
    corpus_paths = fetch_folder(corpus, sources.get("multinli_folder").members)
    multinli.build({"source": "multinli_folder", "verify": False}, corpus_paths, tmp_path / "pairs")
    parents = {"samples": tmp_path / "pairs", "encoder": tmp_path / "encoder"}
    text_features.build({"lower": 0, "length": 12}, parents, tmp_path / "pieces")
    pieces = text_features.load(tmp_path / "pieces", "train")["features"]
    assert pieces.shape[:3] == (1, 45, 2) and pieces.shape[3] <= 12 and pieces.dtype == np.uint16
    assert "embeddings.word_embeddings.weight" in text_features.weights(tmp_path / "pieces")
