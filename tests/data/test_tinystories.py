"""TinyStories in its official formats; tiny files, no network."""

import json

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.sources import hub
from muon_imbalance.data.sources.fetch import fetch_folder
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.data.text import corpus, tinystories


def test_official_files(tmp_path):
    stories = [f"Once there was a cat number {n}.\nIt had {n} toys." for n in range(40)]
    (tmp_path / "TinyStories-train.txt").write_text("\n<|endoftext|>\n".join(stories), encoding="utf-8")
    (tmp_path / "TinyStories-valid.txt").write_text("\n<|endoftext|>\n".join(stories[:9] + [""]), "utf-8")
    files = fetch_folder(tmp_path, sources.get("tinystories_folder").members)
    assert list(tinystories.read(files["train"])) == [" ".join(one.split()) for one in stories]
    config = {"source": "tinystories_folder", "train": 30, "validation": 5, "vocabulary": 40, "context": 20}
    tinystories.build(config, files, tmp_path / "out")
    held = array_files.read_arrays(tmp_path / "out")
    assert len(set(corpus.texts(held, "train"))) == 30 and len(corpus.texts(held, "validation")) == 5
    content = manifest.verify(tmp_path / "out", tinystories.describe)
    assert content["kind"] == "real" and str(tmp_path) not in json.dumps(content)
    with pytest.raises(UserError, match="validation = 10; allowed: up to 9, the stories there are"):
        tinystories.build(config | {"validation": 10}, files, tmp_path / "bad")
    (tmp_path / "TinyStories-valid.txt").unlink()
    with pytest.raises(UserError, match="lacks the file for validation; allowed names: TinyStories-valid.txt"):
        fetch_folder(tmp_path, sources.get("tinystories_folder").members)


def test_the_host_gives_the_same_files(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    stories = {"train": [f"Once there was a cat number {n}.\n\nIt had {n} toys." for n in range(30)]}
    stories["validation"] = stories["train"][:8]
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return datasets.Dataset.from_dict({"text": stories[split]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = sources.get("tinystories_hub")
    for _ in range(2):
        files = hub.fetch(source, tmp_path)
    assert asked == [("roneneldan/TinyStories", "train"), ("roneneldan/TinyStories", "validation")]
    assert list(tinystories.read(files["train"])) == [" ".join(one.split()) for one in stories["train"]]
    tinystories.build({"train": 20, "validation": 4, "vocabulary": 38, "context": 8}, files, tmp_path / "out")
    assert len(set(corpus.texts(array_files.read_arrays(tmp_path / "out"), "train"))) == 20

    def offline(name, split):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(
        UserError, match="tinystories_hub: .* could not be fetched .no route.*source: tinystories_folder"
    ):
        hub.fetch(source, tmp_path / "elsewhere")


def test_sampling_is_uniform():
    drawn = [tinystories.sample(map(str, range(20)), 5, np.random.default_rng(seed)) for seed in range(2000)]
    assert all(len(set(one)) == 5 for one in drawn)
    share = np.bincount([int(x) for one in drawn for x in one], minlength=20) / 2000
    assert (np.abs(share - 0.25) < 0.05).all()
    assert tinystories.sample(["a", "b"], 5, np.random.default_rng(0)) == ["a", "b"]
