"""A model and a task in files outside the tree, as docs/adding-a-model.md has them, trained by path."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.photos import fractal100, step_imbalance
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training import registry
from muon_imbalance.training.checkpoints import Checkpoints

ROOT = Path(__file__).parents[2]
STACKED = '''
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.models.stacked.mlp import MLP


class Options(Settings):
    """Twice the same width."""

    width: int = Field(ge=1, description="units of both layers")


def build(options, shape, classes):
    return MLP(*shape, [options.width] * 2, classes)
'''


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    config = {"parent": "pool", "classes": 4, "ratio": 2, "majority": 6, "resolution": 8, "validation": 1, "test": 2,
              "repetitions": 1}  # fmt: skip
    fractal100.build({"classes": 4, "train": 8, "test": 2}, {}, folder / "pool")
    step_imbalance.build(config, {"pool": folder / "pool"}, folder / "step")
    return folder / "step", config


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The documentation's files in ``own/`` of an empty folder, where the run takes place."""
    text = (ROOT / "docs/adding-a-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "own").mkdir()
    for name, block in zip(("wide_mlp", "denoising"), blocks, strict=True):
        assert f"own/{name}.py" in text
        (tmp_path / "own" / f"{name}.py").write_text(block, encoding="utf-8")
    (tmp_path / "own/twice.py").write_text(STACKED, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "own"


def job(config, task="minibatch_classification", **settings):
    settings = {"dataset": {"name": "step", "builder": "step_imbalance", "config": config}} | settings
    return Job("own", "muon", "final", task, "muon", [{"lr": "0.02", "momentum": "0.9"}], [0], {"every": 1},
               epochs=6, batch=8, settings=settings)  # fmt: skip


def run(described, data, folder):
    with Checkpoints(folder, train.identity(described, data)) as checkpoints:
        return train.run_job(described, data, [], checkpoints).to_pandas()


MODEL = {"name": "own/wide_mlp.py", "width": 8}


def test_a_model_by_path(data, own, tmp_path):
    folder, config = data
    described = job(config, model=MODEL, evaluate=["test"])
    frame = run(described, folder, tmp_path / "c")
    loss = frame[(frame["metric"] == "loss") & (frame["split"] == "train")]["value"]
    assert loss.iloc[-1] < loss.iloc[0] and "test" in set(frame["split"])
    assert own / "wide_mlp.py" in train.sources(described)


def test_a_stacked_model_by_path(own):
    model = registry.models.chosen({"name": "own/twice.py", "width": 3}, "m", "stacked").build((5,), 2)
    assert model.sizes == [(5, 3), (3, 3), (3, 2)]


def test_a_task_by_path(data, own, tmp_path):
    folder, config = data
    described = job(config, "own/denoising.py", model=MODEL, noise=0.2)
    assert registry.needs("own/denoising.py").minibatch
    frame = run(described, folder, tmp_path / "c")
    error = frame[frame["metric"] == "loss"]["value"]
    assert error.iloc[-1] < error.iloc[0]
    assert {own / "denoising.py", own / "wide_mlp.py"} <= set(train.sources(described))


def test_another_text_is_another_job(data, own):
    folder, config = data
    described = job(config, model=MODEL, evaluate=["test"])
    before = train.identity(described, folder)
    (own / "wide_mlp.py").write_text((own / "wide_mlp.py").read_text().replace("ReLU", "GELU"))
    assert train.identity(described, folder) != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": MODEL | {"widht": 3}}, "model: unknown key 'widht'; allowed: width"),
        ({"model": MODEL | {"width": 8.0}}, r"model.width = 8.0; allowed: a whole number from 1"),
        (
            {"model": {"name": "own/none.py"}},
            r"model 'own/none.py' is unknown \(nor is it a file or",
        ),
        ({"mixture": {}}, "unknown key 'mixture'; allowed: augment, clock_samples, evaluate, logit_share, metrics"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(data, own, changes, message):
    described = job(data[1], **({"model": MODEL, "evaluate": ["test"]} | changes))
    with pytest.raises(UserError, match=message):
        train.chosen(described, "")


def test_a_task_without_needs_is_refused(data, own):
    (own / "denoising.py").write_text((own / "denoising.py").read_text().replace("NEEDS =", "WANTS ="))
    with pytest.raises(UserError, match=r"own/denoising.py declares no NEEDS"):
        train.chosen(replace(job(data[1]), task="own/denoising.py"), "")
