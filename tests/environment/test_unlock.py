"""scripts/unlock.py: a killed Snakemake run is unlocked, a living one is left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
WORKFLOW = 'rule one:\n    output:\n        "one.txt",\n    shell:\n        "touch started; exec sleep 60"\n'


def unlock(folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "scripts" / "unlock.py", folder]
    return subprocess.run(command, capture_output=True, text=True)


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.fixture
def run(tmp_path):
    """A Snakemake run in the middle of a job, in a process group of its own."""
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    command = [str(SNAKEMAKE), "--cores", "1", "--quiet", "all"]
    process = subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for((tmp_path / "started").exists)
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def test_lock_of_a_living_run_stays_and_of_a_killed_one_goes(run, tmp_path):
    locks = tmp_path / ".snakemake" / "locks"
    result = unlock(tmp_path)
    assert result.returncode == 1
    assert "a Snakemake run works in this folder" in result.stderr and str(run.pid) in result.stderr
    assert any(locks.iterdir())

    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert any(locks.iterdir()), "a killed run leaves its lock: otherwise this test shows nothing"
    result = unlock(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "removed" in result.stdout
    (tmp_path / "Snakefile").write_text(WORKFLOW.replace("touch started; exec sleep 60", "touch {output}"))
    subprocess.run([SNAKEMAKE, "--cores", "1", "--rerun-incomplete", "--quiet", "all"], cwd=tmp_path, check=True)


def test_a_run_elsewhere_does_not_count(run, tmp_path):
    other = tmp_path / "other"
    (other / ".snakemake" / "locks").mkdir(parents=True)
    (other / ".snakemake" / "locks" / "0.input.lock").touch()
    assert unlock(other).returncode == 0
    assert not (other / ".snakemake" / "locks").exists()


def test_a_stage_that_outlived_its_snakemake_counts(tmp_path):
    stages = tmp_path / "muon_imbalance" / "stages"
    stages.mkdir(parents=True)
    (stages.parent / "__init__.py").touch()
    (stages / "__init__.py").touch()
    (stages / "train.py").write_text("open('started', 'w').close(); import time; time.sleep(60)")
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").touch()
    process = subprocess.Popen([sys.executable, "-m", "muon_imbalance.stages.train"], cwd=tmp_path)
    try:
        wait_for((tmp_path / "started").exists)
        assert unlock(tmp_path).returncode == 1
    finally:
        process.kill()
        process.wait()
    assert unlock(tmp_path).returncode == 0


def test_nothing_to_do_without_a_lock(tmp_path):
    result = unlock(tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
