"""The training stage: jobs, tables, reuse of the grid, paired seeds, and what it imports."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest

from muon_imbalance.common import closure
from muon_imbalance.common.errors import UserError
from muon_imbalance.data.photos import fractal100, step_imbalance
from muon_imbalance.data.tables import gaussian_mixture
from muon_imbalance.plan.job import Job
from muon_imbalance.runs import frames, tables
from muon_imbalance.stages import train
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.kept_runs import KeptRuns

ROOT = Path(__file__).parents[2]
DATA = {"classes": 3, "dimension": 6, "prior": "zipf", "mean_norm": 1.0, "means": "random", "noise": 0.2,
        "train": 60, "test_per_class": 10, "repetitions": 2, "seed": 0}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "mixture"
    gaussian_mixture.build(DATA, {}, folder)
    return folder


def job(**changes):
    described = {
        "experiment": "softmax", "optimizer": "nmd", "phase": "final", "task": "stacked_classification", "rule": "nmd",
        "cells": [{"lr": "0.1", "momentum": "0.9"}], "seeds": [0, 1], "steps": 6, "record": {"every": 3},
        "settings": {"dataset": {"name": "mixture", "builder": "gaussian_mixture", "config": DATA},
                     "model": {"name": "linear", "init_std": 0.01}, "evaluate": ["test"],
                     "metrics": ["grad_norm", "margin_spectral"]},
        "stack": 2, "dtype": "float64",
    }  # fmt: skip
    return Job(**(described | changes))


def run(job, data, folder, grid=(), kept=None, **other):
    found = KeptRuns(kept, job, [], data) if kept else None
    with Checkpoints(folder, train.identity(job, data)) as checkpoints:
        return train.run_job(job, data, grid, checkpoints, kept=found, **other).to_pandas()


def test_table_has_the_contract_columns_and_one_row_per_measurement(data, tmp_path):
    frame = run(job(), data, tmp_path)
    assert list(frame.columns) == list(tables.COLUMNS)
    assert sorted(frame["step"].unique()) == [0, 3, 6] and not frame["diverged"].any()
    assert not frame.duplicated(["run", "step", "split", "group", "metric"]).any()
    assert set(frame["lr"]) == {"0.1"} and set(frame["momentum"]) == {"0.9"}
    tables.check(pyarrow.Table.from_pandas(frame, preserve_index=False), tables.COLUMNS, "test")


def test_metrics_are_what_they_say(data, tmp_path):
    """Recompute accuracy, margin and loss at step 0 from the initial weights in plain NumPy."""
    frame = run(job(), data, tmp_path).query("step == 0 and seed == 1").set_index(["split", "group", "metric"])["value"]
    task = train.make_task(job(), job().runs(), data)
    w = task.init()["layers.0.weight"][1].numpy()
    held = {split: gaussian_mixture.load(data, split, [1]) for split in ("train", "test")}
    x, y = held["train"]["inputs"][0], held["train"]["label"][0]
    z = x @ w.T
    own = z[np.arange(len(y)), y]
    rival = np.where(np.eye(3, dtype=bool)[y], -np.inf, z).max(1)
    assert frame["train", "all", "margin_spectral"] == pytest.approx((own - rival).min() / np.linalg.norm(w, 2))
    assert frame["train", "all", "loss"] == pytest.approx(np.mean(np.log(np.exp(z).sum(1)) - own))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    assert frame["train", "all", "grad_norm"] == pytest.approx(np.linalg.norm((p - np.eye(3)[y]).T @ x / len(y)))
    x, y = held["test"]["inputs"][0], held["test"]["label"][0]
    right = (x @ w.T).argmax(1) == y
    by_class = [right[y == c].mean() for c in range(3)]
    assert frame["test", "worst", "accuracy"] == pytest.approx(min(by_class))
    assert frame["test", "balanced", "accuracy"] == pytest.approx(np.mean(by_class))


def test_optimizers_start_from_the_same_weights(data, tmp_path):
    start = [
        run(job(optimizer=name, rule=name, cells=[{"lr": "0.1"}]), data, tmp_path / name).query("step == 0")["value"]
        for name in ("ngd", "specgd")
    ]
    np.testing.assert_array_equal(*start)


def test_the_final_phase_reuses_the_grid(data, tmp_path):
    cells = [{"lr": "0.1", "momentum": "0.9"}, {"lr": "0.2", "momentum": "0.9"}]
    kept = tmp_path / "kept"
    grid = run(job(phase="grid", cells=cells, seeds=[0]), data, tmp_path / "grid", kept=kept)
    frames.write(tmp_path / "grid.parquet", grid)
    frame = run(job(cells=cells[1:]), data, tmp_path / "final", grid=[tmp_path / "grid.parquet"], kept=kept)
    final = frame[frame["phase"] == "final"]
    assert set(final["seed"]) == {0, 1} and set(final["lr"]) == {"0.2"} and len(frame) > len(final)
    reused = final[final["seed"] == 0]["value"].to_numpy()
    np.testing.assert_array_equal(reused, grid[grid["lr"] == "0.2"]["value"].to_numpy())
    fresh = run(job(cells=cells[1:]), data, tmp_path / "fresh")
    np.testing.assert_allclose(final.sort_values(["run", "step"])["value"], fresh["value"], rtol=1e-9, atol=1e-12)


def trained(monkeypatch):
    """Seeds that are trained from here on."""
    seeds, make = [], train.make_task
    monkeypatch.setattr(
        train, "make_task", lambda j, stack, d: seeds.extend(r.seed for r in stack) or make(j, stack, d)
    )
    return seeds


def test_more_seeds_train_only_the_new_ones(tmp_path, monkeypatch):
    """Also when the data set was built anew with more repetitions, and when the stack is another."""
    few, many = tmp_path / "few", tmp_path / "many"
    gaussian_mixture.build(DATA, {}, few)
    gaussian_mixture.build(DATA | {"repetitions": 4}, {}, many)
    described = job().settings | {"dataset": {"name": "mixture", "builder": "gaussian_mixture",
                                              "config": DATA | {"repetitions": 4}}}  # fmt: skip
    first = run(job(), few, tmp_path / "a", kept=tmp_path / "kept")
    seeds = trained(monkeypatch)
    frame = run(job(seeds=[0, 1, 2, 3], settings=described, stack=4), many, tmp_path / "b", kept=tmp_path / "kept")
    assert seeds == [2, 3] and sorted(frame["seed"].unique()) == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(frame[frame["seed"] < 2].reset_index(drop=True), first)
    whole = run(job(seeds=[0, 1, 2, 3], settings=described, stack=4), many, tmp_path / "c")
    order = ["run", "step", "split", "group", "metric"]
    pd.testing.assert_frame_equal(frame.sort_values(order, ignore_index=True),
                                  whole.sort_values(order, ignore_index=True), rtol=1e-9)  # fmt: skip


def test_kept_runs_are_those_of_this_code_data_and_settings(data, tmp_path, monkeypatch):
    kept, source = tmp_path / "kept", tmp_path / "code.py"
    other = tmp_path / "other"
    gaussian_mixture.build(DATA | {"seed": 1}, {}, other)

    def path(one, files=(), folder=data, version=""):
        return KeptRuns(kept, one, list(files), folder, version).path(one.runs()[0])

    source.write_text("a = 1")
    before = path(job(), [source])
    source.write_text("a = 2")
    changed = [job(steps=9), job(dtype="float32"), job(cells=[{"lr": "0.2", "momentum": "0.9"}])]
    places = {before, path(job(), [source]), path(job()), path(job(), folder=other), path(job(), version="2")}
    places |= {path(one) for one in changed}
    assert len(places) == 8
    assert path(job(phase="grid", seeds=[0], stack=1)) == path(job())
    run(job(), data, tmp_path / "a", kept=kept)
    run(job(steps=9), data, tmp_path / "b", kept=kept)  # other settings: the old ones go
    assert len(list(kept.glob("*.parquet"))) == 2
    next(kept.glob("*.parquet")).write_bytes(b"rubbish")
    with pytest.raises(UserError, match="is not a parquet table"):
        run(job(steps=9), data, tmp_path / "c", kept=kept)


def test_shards_together_are_the_whole_job(data, tmp_path):
    """One job per cell and seed of the grid, one per seed of the final phase: the rows of the jobs that do it all."""
    cells = [{"lr": "0.1", "momentum": "0.9"}, {"lr": "0.2", "momentum": "0.9"}]
    grid = run(job(phase="grid", cells=cells, seeds=[0]), data, tmp_path / "grid")
    frames.write(tmp_path / "grid.parquet", grid)
    whole = run(job(cells=cells[1:]), data, tmp_path / "final", grid=[tmp_path / "grid.parquet"])
    shards = []
    for index, cell in enumerate(cells):
        table = run(job(phase="grid", cells=[cell], seeds=[0], first_run=index), data, tmp_path / f"grid{index}")
        shards.append(tmp_path / f"{index}.parquet")
        frames.write(shards[-1], table)
    parts = [
        run(job(cells=cells[1:], seeds=[seed], first_run=seed), data, tmp_path / f"final{seed}", shards,
            keep_grid=seed == 0)
        for seed in (0, 1)
    ]  # fmt: skip
    order = ["phase", "run", "step", "split", "group", "metric"]
    joined = pd.concat(parts, ignore_index=True).sort_values(order, ignore_index=True)
    expected = whole.sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(joined, expected, rtol=1e-12)


def test_stack_and_chunk_change_speed_only(data, tmp_path):
    whole = run(job(), data, tmp_path / "a")
    for name, changes in {"b": {"stack": 1}, "c": {"chunk": 7}}.items():
        other = run(job(**changes), data, tmp_path / name)
        np.testing.assert_allclose(other["value"], whole["value"], rtol=1e-9, atol=1e-12)


def linear_job(**changes):
    mixture = {"k": 2, "d": 2, "p": [0.7, 0.3], "mu": 1.0, "sigma2": 0.1}
    described = {
        "experiment": "linear", "optimizer": "muon", "phase": "final", "task": "population", "rule": "muon",
        "cells": [{"lr": "0.01", "momentum": "0"}], "seeds": [0, 1], "steps": 6, "record": {"every": 3},
        "hyper": {"nesterov": False, "scale": "none"}, "settings": {"mixture": mixture, "metrics": []},
        "variants": {"one": {"hyper": {"ns_steps": 1}}, "five": {"hyper": {"ns_steps": 5}},
                     "noisy": {"hyper": {"ns_steps": 5}, "mixture": {"sigma2": 2.0}}},
        "stack": 10, "dtype": "float64",
    }  # fmt: skip
    return Job(**(described | changes))


def test_variants_share_a_stack_where_hyperparameters_agree():
    stacks = train.stacks(linear_job(), linear_job().runs())
    assert [[(run.variant, run.seed) for run in stack] for stack in stacks] == [
        [("one", 0), ("one", 1)],
        [("five", 0), ("five", 1), ("noisy", 0), ("noisy", 1)],
    ]
    small = train.stacks(linear_job(stack=3), linear_job().runs())
    assert [len(stack) for stack in small] == [2, 3, 1]
    wide = linear_job(variants={"a": {}, "b": {"mixture": {"d": 3}}})
    assert [len(stack) for stack in train.stacks(wide, wide.runs())] == [2, 2]


def test_rows_say_which_variant_they_belong_to(tmp_path):
    frame = run(linear_job(), None, tmp_path)
    assert sorted(frames.variants(frame).unique()) == ["five", "noisy", "one"]
    assert not frame.duplicated(["run", "step", "split", "group", "metric"]).any()
    details = {json.loads(text)["variant"]: json.loads(text) for text in frame["hyper"].unique()}
    assert details["one"] == {"nesterov": False, "ns_steps": 1, "scale": "none", "variant": "one"}
    assert details["noisy"]["mixture"] == {"k": 2, "d": 2, "p": [0.7, 0.3], "mu": 1.0, "sigma2": 2.0}


def test_a_variant_is_what_it_would_be_as_an_experiment_of_its_own(tmp_path):
    frame = run(linear_job(), None, tmp_path / "all")
    mixture = linear_job().settings["mixture"] | {"sigma2": 2.0}
    alone = linear_job(variants={}, settings={"mixture": mixture, "metrics": []})
    alone = run(replace(alone, hyper=alone.hyper | {"ns_steps": 5}), None, tmp_path / "alone")
    noisy = frame[frames.variants(frame) == "noisy"]
    np.testing.assert_allclose(noisy["value"], alone["value"], rtol=1e-12, atol=1e-15)
    five = frame[frames.variants(frame) == "five"]["value"].to_numpy()
    assert np.abs(five - noisy["value"].to_numpy()).max() > 1e-3  # mutation: a variant that changed nothing
    assert np.abs(frame[frames.variants(frame) == "one"]["value"].to_numpy() - five).max() > 1e-3


def test_an_unknown_task_is_refused():
    with pytest.raises(UserError, match="task 'regression' is unknown; allowed: bilinear, decoding"):
        train.sources(linear_job(task="regression"))


def test_a_diverged_run_is_a_row_that_says_so(data, tmp_path):
    frame = run(job(rule="sgd", optimizer="sgd", cells=[{"lr": "1e308", "momentum": "0.9"}]), data, tmp_path)
    assert frame["diverged"].any() and frame.loc[frame["diverged"], "value"].isna().all()
    tables.check(pyarrow.Table.from_pandas(frame, preserve_index=False), tables.COLUMNS, "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phase": "test"}, "phase is 'test'; allowed: grid, final"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"seeds": []}, "at least one cell and one seed"),
        ({"dtype": "bfloat16"}, "dtype is 'bfloat16'; allowed: float32, float64"),
    ],
)
def test_bad_jobs_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        job(**changes)


def test_a_negative_learning_rate_is_refused_before_training(data, tmp_path):
    with pytest.raises(UserError, match="optimizer nmd: lr = .*allowed: a finite number >= 0"):
        run(job(cells=[{"lr": "-0.1", "momentum": "0.9"}]), data, tmp_path)


def test_checkpoint_identity_changes_with_settings_and_data(data):
    one = train.identity(job(), data)
    assert train.identity(replace(job(), checkpoint_seconds=1), data) == one
    assert train.identity(replace(job(), steps=7), data) != one
    assert train.identity(replace(job(), cells=[{"lr": "0.2", "momentum": "0.9"}]), data) != one


def network_job(folder):
    """A job on minibatches, and its data set of a few generated pictures."""
    config = {"parent": "pool", "classes": 4, "ratio": 2, "majority": 4, "resolution": 8, "validation": 1, "test": 1,
              "repetitions": 1}  # fmt: skip
    fractal100.build({"classes": 4, "train": 6, "test": 1}, {}, folder / "pool")
    step_imbalance.build(config, {"pool": folder / "pool"}, folder / "step")
    settings = {"dataset": {"name": "step", "builder": "step_imbalance", "config": config}, "evaluate": ["test"],
                "model": {"name": "resnet", "width": 8, "blocks": [1]}, "metrics": []}  # fmt: skip
    described = job(
        task="minibatch_classification",
        settings=settings,
        steps=0,
        epochs=1,
        batch=6,
        seeds=[0],
        stack=1,
        dtype="float32",
    )
    return described, folder / "step"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classification", "network"])
def test_the_closure_is_what_a_job_imports(data, tmp_path, kind):
    """Run a job in its own process: every project file it loads is in the closure, and none of the forbidden parts."""
    code = (
        "import sys; from muon_imbalance.stages import train; train.main();"
        "print(*sorted(m.__file__ for n, m in sys.modules.items() if n.startswith('muon_imbalance')"
        " and getattr(m, '__file__', None)), sep='\\n')"
    )
    asked, folder = (job(), data) if kind == "classification" else network_job(tmp_path)
    described = json.dumps({k: v for k, v in vars(asked).items()})
    arguments = ["--job", described, "--data", str(folder), "--checkpoints", str(tmp_path / "c"), "--output",
                 str(tmp_path / "t.parquet")]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    loaded = {Path(line).resolve() for line in done.stdout.splitlines() if line.endswith(".py")}
    allowed = set(closure.closure("muon_imbalance.stages.train")) | set(train.sources(asked))
    assert loaded and loaded <= allowed
    forbidden = ("reporting", "claims", "judge", "style")
    assert not [
        path for path in allowed if any(word in path.as_posix().split("muon_imbalance/")[1] for word in forbidden)
    ]
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert len(frame)


def test_each_variant_trains_its_own_selected_cell(data, tmp_path):
    """Two variants tuned one by one: their final runs have their own learning rates, and the grid's are used again."""
    variants = {"plain": {"weighting": "none"}, "weighted": {"weighting": "group"}}
    cells = [{"lr": lr, "momentum": "0.9"} for lr in ("0.1", "0.3")]
    tuned = job(phase="grid", cells=cells, seeds=[0], variants=variants)
    grid = run(tuned, data, tmp_path / "a")
    frames.write(tmp_path / "grid.parquet", grid)
    selection = {"variants": {"plain": {"hyper": cells[1]}, "weighted": {"hyper": cells[0]}}}
    last = train.with_selection(job(cells=[{}], variants=variants), selection)
    table = run(last, data, tmp_path / "b", [tmp_path / "grid.parquet"])
    final = table[table["phase"] == "final"].assign(variant=lambda frame: frames.variants(frame))
    assert final.groupby("variant")["lr"].unique().map(list).to_dict() == {"plain": ["0.3"], "weighted": ["0.1"]}
    assert final.groupby("variant")["seed"].unique().map(sorted).to_dict() == {"plain": [0, 1], "weighted": [0, 1]}
    again = run(replace(last, seeds=[0]), data, tmp_path / "c")
    key = ["seed", "lr", "hyper", "step", "split", "group", "metric"]
    both = final[final["seed"] == 0].merge(again, on=key)
    assert len(both) == len(again) and np.allclose(both["value_x"], both["value_y"], rtol=1e-12)


def test_without_variants_the_selected_cell_is_the_only_one():
    cell = {"lr": "0.3", "momentum": "0.9"}
    assert [one.cell for one in train.with_selection(job(cells=[{}]), {"hyper": cell}).runs()] == [cell, cell]


@pytest.mark.parametrize("rule", ["adam", "shampoo"])
def test_the_table_shows_the_first_of_swept_betas_as_momentum(rule):
    described = job(rule=rule, cells=[{"lr": "0.1", "betas": pair} for pair in ("0.8,0.99", "0.9,0.99")], seeds=[0])
    optimizer = train.make_optimizer(described, described.runs())
    assert optimizer.beta1.value.tolist() == [0.8, 0.9] and optimizer.beta2.value.tolist() == [0.99, 0.99]
    assert [described.momentum(one) for one in described.runs()] == ["0.8", "0.9"]
    fixed = replace(described, cells=[{"lr": "0.1"}], hyper={"momentum": 0.5})
    assert fixed.momentum(fixed.runs()[0]) == "0.5"
