"""The generated schemas and docs/configuration.md: current, and they bite."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from muon_imbalance.plan import reference

ROOT = Path(__file__).parents[2]
FAMILIES = sorted((ROOT / "experiments").glob("*.yaml"))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / f"workflow/schemas/{name}.schema.json").read_text()))


def loaded(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_generated_files_are_current():
    assert reference.stale(ROOT) == [], "run python -m muon_imbalance.plan.reference"


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.stem)
def test_families_follow_their_schema(path):
    assert [error.message for error in validator("experiments").iter_errors(loaded(path))] == []


def test_the_whole_run_follows_its_schema():
    assert [error.message for error in validator("config").iter_errors(loaded(ROOT / "config.yaml"))] == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda family: family.update(figure={}),
        lambda family: family["datasets"]["colored_mnist"].update(bilder="mnist"),
        lambda family: family["datasets"]["colored_mnist"]["config"].update(correlation=1.5),
        lambda family: family["datasets"]["colored_mnist"]["config"].update(corelation=0.9),
        lambda family: family["experiments"]["colored_mnist"].update(stepps=128),
        lambda family: family["experiments"]["colored_mnist"].update(steps=0),
        lambda family: family["experiments"]["colored_mnist"].update(model={"name": "mlp", "hiden": [128]}),
        lambda family: family["experiments"]["colored_mnist"].update(origin={"steps": "guessed"}),
        lambda family: family["figures"]["fig_01"].update(tittle="x"),
    ],
)
def test_the_schema_refuses(edit):
    family = copy.deepcopy(loaded(ROOT / "experiments/colored_mnist.yaml"))
    edit(family)
    assert list(validator("experiments").iter_errors(family))


def test_every_setting_says_what_it_means():
    """No declared key is without its line of meaning."""
    rooms = [reference.rooms.TASKS, reference.rooms.MODELS, reference.rooms.BUILDERS, reference.rooms.TABLES]
    kinds = {f"{room.noun} {name}": kind for room in rooms for name, kind in reference.options(room).items()}
    kinds |= {f"rule {name}": reference.rules.options(name) for name in reference.rules.names()}
    kinds |= {f"notebook {name}": kind for name, kind in reference.figure_options(ROOT).items()}
    silent = [
        f"{name}.{key}" for name, kind in kinds.items() for key, f in kind.model_fields.items() if not f.description
    ]
    assert len(kinds) > 60 and silent == []
