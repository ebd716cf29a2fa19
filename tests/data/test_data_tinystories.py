"""TinyStories in its official formats; tiny files, no network."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest

from muon_imbalance.data import (
    manifest,
    store,
    text,
    tinystories,
)
from muon_imbalance.errors import UserError


def test_tinystories_official_text_files(tmp_path):
    stories = [f"Once there was a cat number {n}.\nIt had {n} toys." for n in range(40)]
    (tmp_path / "TinyStories-train.txt").write_text("\n<|endoftext|>\n".join(stories), encoding="utf-8")
    (tmp_path / "TinyStoriesV2-GPT4-valid.txt").write_text("\n<|endoftext|>\n".join(stories[:9] + [""]), "utf-8")
    assert list(tinystories.read_folder(tmp_path, "train")) == [" ".join(one.split()) for one in stories]
    config = {"folder": str(tmp_path), "train": 30, "validation": 5, "vocabulary": 40, "context": 20}
    tinystories.build(config, {}, tmp_path / "out")
    held = store.read_arrays(tmp_path / "out")
    assert len(set(text.texts(held, "train"))) == 30 and len(text.texts(held, "validation")) == 5
    content = manifest.verify(tmp_path / "out")
    assert content["kind"] == "real" and str(tmp_path) not in json.dumps(content)
    with pytest.raises(UserError, match="validation = 10; allowed: up to 9, the stories there are"):
        tinystories.build(config | {"validation": 10}, {}, tmp_path / "bad")


def test_tinystories_parquet_files(tmp_path):
    (tmp_path / "data").mkdir()
    for split, part, texts in (
        ("train", 0, ["One.", " "]),
        ("train", 1, ["Two.\nThree."]),
        ("validation", 0, ["Four."]),
    ):
        table = pyarrow.table({"text": texts})
        parquet.write_table(table, tmp_path / "data" / f"{split}-0000{part}-of-00002.parquet")
    assert list(tinystories.read_folder(tmp_path, "train")) == ["One.", "Two. Three."]
    assert list(tinystories.read_folder(tmp_path, "validation")) == ["Four."]


def test_tinystories_from_the_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    stories = {"train": [f"Once there was a cat number {n}. It had {n} toys." for n in range(30)]}
    stories["validation"] = stories["train"][:8]
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return datasets.Dataset.from_dict({"text": stories[split]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    config = {"train": 20, "validation": 4, "vocabulary": 38, "context": 8}
    tinystories.build(config, {}, tmp_path / "out")
    assert asked == [("roneneldan/TinyStories", "train"), ("roneneldan/TinyStories", "validation")]
    assert len(set(text.texts(store.read_arrays(tmp_path / "out"), "train"))) == 20

    def offline(name, split):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(UserError, match=r"cannot be read from the Hugging Face Hub \(ConnectionError"):
        tinystories.build(config, {}, tmp_path / "bad")


def test_tinystories_folder_refusals(tmp_path):
    with pytest.raises(UserError, match="is not a folder; allowed: one with the official files"):
        tinystories.read_folder(tmp_path / "nowhere", "train")
    with pytest.raises(UserError, match="has no validation stories; allowed: TinyStories-valid.txt"):
        tinystories.read_folder(tmp_path, "validation")


def test_sampling_is_uniform():
    drawn = [tinystories.sample(map(str, range(20)), 5, np.random.default_rng(seed)) for seed in range(2000)]
    assert all(len(set(one)) == 5 for one in drawn)
    share = np.bincount([int(x) for one in drawn for x in one], minlength=20) / 2000
    assert (np.abs(share - 0.25) < 0.05).all()
    assert tinystories.sample(["a", "b"], 5, np.random.default_rng(0)) == ["a", "b"]
