"""Optimizers of one's own in the whole pipeline: what docs/adding-an-optimizer.md says happens."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import yaml

TEXT = (Path(__file__).parents[2] / "docs/adding-an-optimizer.md").read_text(encoding="utf-8")
SOAP, HALFGD = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
AFTER = {"judge": 1, "publish": 1, "all": 1}
TRAINED = {"check_class": 1, "tune_my_soap": 5, "select_cell": 5, "train_my_soap": 5}
REDRAWN = ("01", "03", "14", "15", "16", "18", "20", "29", "30", "32")
ADDED = TRAINED | {f"render_fig_{name}": 1 for name in REDRAWN} | AFTER
MINE = 'optimizers:\n  mine: {class: "mine:Heavy", lr: ["0.05"], experiments: [colored_mnist]}\n'


def add(project, entry):
    """Put an entry under ``optimizers`` of config.yaml, as a reader would."""
    (line,) = re.findall(r"^  lion_k: .*\n", (project.folder / "config.yaml").read_text(), re.MULTILINE)
    project.edit("config.yaml", line, line + entry.removeprefix("optimizers:\n"))


def with_own_file(project):
    source = project.folder / "tests/user_classes/sample_optimizers.py"
    (project.folder / "mine.py").write_text(source.read_text())
    add(project, MINE)
    return project


def test_the_documented_entries_are_yaml():
    assert yaml.safe_load(SOAP)["optimizers"]["my_soap"]["class"] == "pytorch_optimizer:SOAP"
    assert yaml.safe_load(HALFGD)["optimizers"]["halfgd"]["rule"] == "halfgd"


@pytest.mark.skipif(find_spec("pytorch_optimizer") is None, reason="pytorch-optimizer is not installed")
def test_the_documented_soap_is_in_figure_claims_and_report(finished):
    add(finished, SOAP)
    assert finished.planned() == ADDED
    finished.run()
    results = finished.folder / "results/smoke"
    for stem in ("01_colored_mnist", "14_colored_mnist_grid", "15_colored_mnist_all", "29_weighted_loss"):
        assert "my_soap" in set(pd.read_csv(results / f"figures/fig_{stem}.csv")["optimizer"])
    claims = {record["id"] for record in json.loads((results / "claims.json").read_text())}
    assert {"C1.1@my_soap", "A1.1@my_soap"} <= claims
    assert "C1.1<wbr>@my_soap" in (results / "report/index.html").read_text(encoding="utf-8")
    assert "Nothing to be done" in finished.run().stdout


def test_the_documented_rule_is_one_file_and_one_entry(fresh):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (fresh.folder / "src/muon_imbalance/optimizers/halfgd.py").write_text(code)
    add(fresh, HALFGD)
    jobs = fresh.planned("fig_01")
    assert jobs["tune_halfgd"] == jobs["train_halfgd"] == 1 and "check_class" not in jobs


def test_a_changed_class_is_trained_anew_and_no_other(finished):
    with_own_file(finished)
    finished.run("fig_01")
    finished.edit("mine.py", "0.01 * self.seen", "0.02 * self.seen")
    assert finished.planned("fig_01") == {"check_class": 1, "train_mine": 1, "render_fig_01": 1, "fig_01": 1}


def test_a_broken_class_is_named_and_harms_nobody(finished):
    (finished.folder / "results/smoke/runs/linear_softmax/ngd.0.parquet").unlink()
    add(finished, 'optimizers:\n  broken: {class: "nowhere:Thing", lr: ["0.1"]}\n')
    done = finished.run("--keep-going", check=False)
    assert done.returncode
    assert "optimizer broken: class 'nowhere:Thing' cannot be imported: ModuleNotFoundError" in done.stdout
    assert (finished.folder / "results/smoke/runs/linear_softmax/ngd.0.parquet").is_file()
    assert "Training broken" not in done.stdout


def test_a_report_card(finished):
    with_own_file(finished)
    folder = finished.folder / "results/smoke/cards/mine"
    finished.run("results/smoke/cards/mine/index.html")
    assert {path.name for path in folder.iterdir()} == {
        "index.html", *(f"card_optimizer.{ending}" for ending in ("csv", "ipynb", "json", "pdf", "png"))
    }  # fmt: skip
    table = pd.read_csv(folder / "card_optimizer.csv")
    assert set(table["panel"]) == {"curves", "differences", "cost"}
    assert set(table[table["panel"] == "cost"]["optimizer"]) == {"mine", "nmd", "adam", "muon"}
    record = json.loads((folder / "card_optimizer.json").read_text())
    assert record["command"] == "make card OPTIMIZER=mine SCALE=smoke" and record["experiments"] == [
        "linear_softmax", "colored_mnist", "cifar10_r20", "toystories"
    ]  # fmt: skip
    done = finished.run("results/smoke/cards/nobody/index.html", check=False)
    assert "OPTIMIZER='nobody' is unknown; allowed: adam, gd, lion_k, mine, muon" in done.stdout


@pytest.mark.parametrize(("scale", "trained"), [("laptop", 4), ("paper", 2 + 3 + 5)])
def test_every_card_can_be_planned(fresh, scale, trained):
    """One final job for each experiment; at paper scale one for each of three or five seeds on minibatches."""
    config = yaml.safe_load((fresh.folder / "config.yaml").read_text())
    dose = yaml.safe_load((fresh.folder / "experiments/spectral_controls.yaml").read_text())
    controls = list(dose["experiments"]["spectral_dose_mnist"]["sweep"])
    named = [name for name in config["optimizers"] if name not in controls]
    assert len(named) >= 15
    drawn = named[:: 1 if scale == "laptop" else 6]
    jobs = fresh.planned(*(f"results/{scale}/cards/{name}/index.html" for name in drawn), scale=scale)
    assert jobs["card"] == len(drawn) and {jobs[f"train_{name}"] for name in drawn} == {trained}
    done = fresh.run("-n", f"results/{scale}/cards/{controls[0]}/index.html", scale=scale, check=False)
    assert done.returncode and f"{controls[0]} has no grid for linear_softmax; add lr: [...] under" in done.stdout
