"""``muon-imbalance job``: settings with their places, and the command that the rule runs."""

import json
import shlex

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import describe, jobs
from muon_imbalance.plan.describe import Target

from .configurations import plan_of

FILES = [
    "results/smoke/grid/colored_mnist/muon.0.parquet",
    "results/smoke/selection/colored_mnist/muon.json",
    "results/smoke/runs/colored_mnist/muon.0.parquet",
    "results/smoke/runs/linear_softmax/ngd.0.parquet",
    "results/smoke/theory/population_linear.parquet",
    "data/datasets/smoke/colored_mnist/manifest.json",
    "data/datasets/smoke/dominoes/manifest.json",
    "results/smoke/figures/fig_04_linear_cross_entropy.pdf",
    "results/smoke/figures/tab_1_update_rules.html",
]


def test_the_command_by_hand_is_the_one_of_the_rule():
    """The last one of a dry run, without source files and the log."""
    plan, target = plan_of("smoke"), Target.of(FILES[2])
    line = describe.by_hand(plan, target)
    assert line.startswith("PYTHONPATH=src OMP_NUM_THREADS=1 .venv/bin/python -m muon_imbalance.stages.train --job ")
    words = shlex.split(line)
    assert json.loads(words[words.index("--job") + 1]) == jobs.job(plan, "colored_mnist", "muon", "final")
    assert words[-2:] == ["--output", FILES[2]] and "--selection" in words


@pytest.mark.parametrize("path", FILES)
def test_every_file_of_a_job_has_its_settings(path):
    plan, target = plan_of("smoke"), Target.of(path)
    target.check(plan)
    assert describe.rows(plan, target)


def test_every_setting_of_a_job_has_a_place():
    plan = plan_of("smoke")
    target = Target.of(FILES[2])
    target.check(plan)
    rows = {name: (value, place) for name, value, place in describe.rows(plan, target)}
    assert rows["dataset.correlation"] == (0.95, "datasets.colored_mnist.config.correlation")
    assert rows["hyper.ns_steps"] == (5, "optimizers.muon.hyper.ns_steps")
    assert rows["model.hidden"][1] == "experiments.colored_mnist.model.hidden"
    assert rows["cells"] == ("selected", "experiments.colored_mnist.sweep.muon")
    assert rows["seeds"] == ([0, 1], "experiments.colored_mnist.seeds")
    assert rows["phase"] == ("final", "")
    for _, place in rows.values():
        node = plan.config
        for part in filter(None, place.split(".")):
            node = node[part] if part != "checkpoint_epochs" else node.get(part, False)


def test_an_experiment_with_frozen_hyperparameters_names_where_they_are_swept():
    plan = plan_of("paper")
    (name, tuner) = next((x, one.frozen_from) for x, one in plan.training.items() if one.frozen_from)
    optimizer = next(iter(plan.training[name].sweep))
    target = Target.of(f"results/paper/runs/{name}/{optimizer}.0.parquet")
    assert ("cells", "selected", f"experiments.{tuner}.sweep.{optimizer}") in describe.rows(plan, target)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("README.md", "README.md is no file of a job"),
        ("results/tiny/runs/colored_mnist/muon.0.parquet", "'tiny' is unknown; allowed: smoke"),
        ("results/smoke/runs/colored/muon.0.parquet", "experiment: 'colored' is unknown; allowed: .*colored_mnist"),
        ("results/smoke/runs/colored_mnist/soap.0.parquet", "optimizer: 'soap' is unknown; allowed: adam"),
        ("results/smoke/runs/colored_mnist/muon.7.parquet", "no such shard; allowed: .*muon.0.parquet"),
        ("results/smoke/theory/colored_mnist.parquet", "'colored_mnist' is unknown; allowed: .*controls"),
        ("figures/fig_99_x.pdf", "figure: 'fig_99' is unknown; allowed: fig_01"),
    ],
)
def test_files_of_no_job_are_refused(path, message):
    with pytest.raises(UserError, match=message):
        Target.of(path).check(plan_of("smoke"))
