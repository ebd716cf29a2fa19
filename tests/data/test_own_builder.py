"""The builder of docs/adding-a-dataset.md, as a file of a user's, outside the tree."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import registry
from muon_imbalance.data.store import manifest
from muon_imbalance.stages import build_dataset
from muon_imbalance.training.registry import Dataset
from muon_imbalance.training.stacked_data import Loader

PAGE = (Path(__file__).parents[2] / "docs/adding-a-dataset.md").read_text(encoding="utf-8")
CODE, ENTRY = (re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[1] for kind in ("python", "yaml"))


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """Builder and options of the entry; the file lies where it says."""
    monkeypatch.chdir(tmp_path)
    described = yaml.safe_load(ENTRY)["datasets"]["two_moons"]
    path = Path(described["builder"])
    path.parent.mkdir()
    path.write_text(CODE, encoding="utf-8")
    return described


def build(entry, **changes):
    config = json.dumps(entry["config"] | changes)
    build_dataset.main(["--name", "moons", "--builder", entry["builder"], "--config", config, "--output", "out"])


def test_the_page_is_true(entry):
    build(entry)
    held = manifest.read("out")
    assert held["config"] == {"ratio": 50, "noise": 0.1, "train": 1000, "test": 400, "repetitions": 5}
    assert held["counts"]["train"] == {"all": 1000, "upper": 980, "lower": 20}
    builder = registry.module(held["builder"])
    assert builder.load("out", "test", [1, 4])["inputs"].shape == (2, 400, 2)
    assert (builder.classes({}), builder.class_sets({}), builder.weights("out")) == (2, {}, {})
    with pytest.raises(UserError, match=r"repetitions = \[5\]; allowed: one or more of 0 to 4"):
        builder.load("out", "test", [5])


def test_training_reads_it(entry):
    build(entry)
    dataset = Dataset(name="moons", **entry)
    loader = Loader(Path("out"), dataset, (0, 1), [0, 2, 0], torch.float64, torch.device("cpu"))
    split = loader.split("train")
    assert loader.classes == 2 and split.groups.names == ("upper", "lower")
    (block,) = split.blocks
    assert block.inputs.shape == (3, 1000, 2) and torch.equal(block.inputs[0], block.inputs[2])
    assert (block.groups == 1).sum(1).tolist() == [20, 20, 20]
    np.testing.assert_array_equal(block.targets, block.groups)


def test_refusals_name_the_file_and_the_key(entry, tmp_path):
    with pytest.raises(UserError, match="data set moons: two_moons.ratio = 0; allowed: a number from 1"):
        build(entry, ratio=0)
    assert registry.parents(entry["builder"]) == {} and registry.source(entry["builder"], entry["config"]) is None
    with pytest.raises(UserError, match="unknown key 'shape'; allowed: noise, ratio"):
        registry.source(entry["builder"], {"shape": 3})
    with pytest.raises(UserError, match="'own/three_moons.py' is unknown .nor is it a file"):
        build(entry | {"builder": "own/three_moons.py"})
    (tmp_path / "own/three_moons.py").write_text("import muon_imbalance.nothing\nclass Options: ...\n")
    with pytest.raises(UserError, match="three_moons.py cannot be imported: ModuleNotFoundError"):
        build(entry | {"builder": "own/three_moons.py"})
    (tmp_path / "own/three_moons.py").write_text("def build(config, inputs, out): ...\n")
    with pytest.raises(UserError, match="three_moons.py defines no Options"):
        build(entry | {"builder": "own/three_moons.py"})
    assert not Path("out").exists()


def test_an_installed_module_by_its_dotted_name(entry, tmp_path, monkeypatch):
    (tmp_path / "site/moons").mkdir(parents=True)
    (tmp_path / "site/moons/__init__.py").write_text("")
    (tmp_path / "site/moons/two.py").write_text(CODE.replace('"own/two_moons.py"', '"moons.two"'), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "site")
    build(entry | {"builder": "moons.two"})
    assert manifest.read("out")["builder"] == "moons.two"
