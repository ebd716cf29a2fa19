"""What a change reruns: exactly the jobs that depend on it."""

import json
import re
from collections import Counter
from math import prod

from .configuration import drawn, scale_config, smoke_config

COLORED = {
    "train_nmd": 1,
    "train_signum": 1,
    "train_muon": 1,
    "train_muon_ns1": 1,
    "train_muon_exact": 1,
    "tune_muon": 1,
}
AFTER = {"judge": 1, "publish": 1, "all": 1}


def test_the_default_target_has_many_jobs(fresh):
    jobs = fresh.planned()
    assert sum(jobs.values()) > 10 and jobs["all"] == 1
    assert {"download", "build_dataset", "train_muon", "tune_muon", "solve", "judge", "publish"} <= set(jobs)


def test_one_figure_builds_only_its_ancestors(fresh):
    target = "results/smoke/figures/fig_04_linear_cross_entropy.pdf"
    expected = {"build_dataset": 1, "train_ngd": 1, "train_signgd": 1, "train_specgd": 1, "render_fig_04": 1}
    jobs = fresh.planned(target)
    assert {name: count for name, count in jobs.items() if name != "all"} == expected
    assert fresh.planned("fig_04") == expected | {"fig_04": 1}


def test_a_changed_network_reruns_its_figure(finished):
    finished.edit("src/muon_imbalance/models/stacked/cnn.py", "side >> len(channels)", "side // 2 ** len(channels)")
    assert finished.planned() == {"train_sgd": 1, "train_shampoo": 1, "train_muon": 1, "render_fig_30": 1} | AFTER


def test_a_changed_model_reruns_its_experiment(finished):
    finished.edit(
        "src/muon_imbalance/models/stacked/mlp.py", "[features, *hidden, classes]", "[features] + [*hidden, classes]"
    )
    others = {
        "train_nmd": 3,
        "train_nmd_global": 1,
        "train_specgd": 1,
        "train_muon": 10,
        "tune_muon": 3,
        "train_lion_k": 1,
        "train_power_1": 1,
        "train_power_0": 1,
        "train_muon_last": 1,
    }
    figures = {f"render_fig_{name}": 1 for name in ("01", "06", "14", "15", "29", "s5", "s8", "s9", "s10")}
    assert finished.planned() == COLORED | others | figures | {"select_cell": 3} | AFTER


def test_a_changed_optimizer_reruns_its_jobs(finished):
    finished.edit("src/muon_imbalance/optimizers/adam.py", "import torch\n", "import torch\n\n")
    jobs = finished.planned()
    assert {name for name in jobs if name.startswith(("train", "tune"))} == {
        "train_muon", "tune_muon", "train_muon_ns1", "train_muon_exact", "train_lion_k", "train_adam",
        "train_power_1", "train_power_0", "train_muon_last",
    }  # fmt: skip


def test_a_changed_colour_reruns_notebooks_only(finished):
    finished.edit("src/muon_imbalance/reporting/figures/style.py", "#0072B2", "#0072B3")
    figures = [name for name in smoke_config()["figures"] if name.startswith("fig_")]
    assert {f"render_{figure}" for figure in figures} <= set(finished.planned())
    allowed = {f"render_{figure}" for figure in (*figures, "tab_1")} | {"publish", "all"}
    assert set(finished.planned()) <= allowed
    assert finished.planned("fig_04") == {"render_fig_04": 1, "fig_04": 1}


def test_a_changed_claim_reruns_judge_and_report_only(finished):
    finished.edit("claims/linear_models.yaml", "Fig. 2", "Figure 2")
    assert set(finished.planned()) == {"judge", "publish", "all"}


def test_a_changed_learning_rate_reruns_its_sweep_only(finished):
    finished.edit("experiments/colored_mnist.yaml", 'nmd: {lr: ["0.05"]}', 'nmd: {lr: ["0.04"]}')
    assert finished.planned() == {"train_nmd": 1, "render_fig_01": 1} | AFTER


def test_a_comment_in_a_data_module_does_not_retrain_unrelated_experiments(finished):
    finished.edit("src/muon_imbalance/data/digits/colored_mnist.py", '"""', '"""\n')
    jobs = finished.planned()
    assert {"build_dataset", "train_nmd"} <= set(jobs)
    assert jobs["train_specgd"] == 1  # Fig. 6
    assert not [name for name in jobs if name in ("train_gd", "train_ngd", "train_signgd", "solve")]


def test_a_changed_table_reruns_its_figure_only(finished):
    finished.edit("src/muon_imbalance/theory/tables/controls.py", "10_000", "20_000")
    assert finished.planned() == {"solve": 1, "render_fig_s2": 1} | AFTER


def test_a_changed_table_of_organisms_reruns_its_experiment(finished):
    finished.edit("src/muon_imbalance/data/tables/organisms.csv", "has scales", "has fins")
    jobs = {"build_dataset": 1, "train_gd": 1, "train_muon_ns1": 1, "render_fig_27": 1}
    assert finished.planned() == jobs | AFTER


def test_a_changed_audit_reruns_the_report_only(finished):
    finished.edit("claims/audit.yaml", "The proofs use", "Both proofs use")
    assert finished.planned() == {"publish": 1, "all": 1}


def test_the_theory_target_makes_its_figures(fresh):
    jobs = fresh.planned("theory")
    described = smoke_config()["figures"].items()
    figures = {f"render_{name}" for name, one in described if "theory" in one or one.get("topic") == "theory"}
    assert {job for job in jobs if job.startswith("render_")} == figures and len(figures) >= 9
    assert "judge" not in jobs


def test_every_job_trains_the_optimizer_of_its_name(fresh):
    """A loop variable bound too late gives every rule the last optimizer."""
    shown = fresh.run("-n", "-p").stdout
    jobs = re.findall(r"--job '(\{.*?\})' ", shown)
    config = smoke_config()
    shown_in_figures = drawn(config).values()
    sweeps = [sweep for one in shown_in_figures for sweep in one.get("sweep", {}).values()]
    frozen = sum(len(one["optimizers"]) for one in shown_in_figures if "frozen_from" in one)
    tuned = sum(any(len(values) > 1 for values in sweep.values()) for sweep in sweeps)
    assert len(jobs) == len(sweeps) + tuned + frozen > 12
    outputs = re.findall(r"--output results/smoke/(?:runs|grid)/(\w+)/(\w+)\.0\.parquet", shown)
    described = [json.loads(job) for job in jobs]
    assert [(job["experiment"], job["optimizer"]) for job in described] == outputs
    for job in described:
        optimizer = config["optimizers"][job["optimizer"]]
        special = config["experiments"][job["experiment"]].get("hyper", {}).get(job["optimizer"], {})
        assert (job["rule"], job["hyper"]) == (optimizer["rule"], optimizer.get("hyper", {}) | special)
        assert job["phase"] == ("grid" if len(job["cells"]) > 1 else "final")


def test_paper_scale_can_be_planned(fresh):
    jobs, config = fresh.planned(scale="paper"), scale_config("paper")
    tuned, selected = Counter(), 0
    for experiment in config["experiments"].values():
        for name, sweep in experiment.get("sweep", {}).items():
            cells = prod(map(len, sweep.values()))
            selected += cells > 1
            shards = cells * experiment.get("grid_seeds", 1) if experiment.get("shards") == "each" else 1
            tuned[name] += shards if cells > 1 else 0
    assert {name: jobs.get(f"tune_{name}", 0) for name in tuned} == tuned and jobs["select_cell"] == selected
    assert tuned["nmd"] > 48 and tuned["muon_exact"] == 3  # CIFAR's grids: one job for each cell
    assert "core-hours" in fresh.said
