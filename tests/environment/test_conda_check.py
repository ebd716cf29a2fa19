"""The check of `make test-conda` tells a job in the environment from one outside, and a record from none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONDA = Path(__file__).resolve().parents[1] / "conda"


def check(folder: Path, stages: int) -> str:
    command = [sys.executable, CONDA / "check_interpreters.py", folder, str(stages)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == (1 if result.stderr else 0)
    return result.stderr


@pytest.fixture
def record(tmp_path):
    def write(*executables: str, command: str = "python -m muon_imbalance.stages.train") -> None:
        lines = [json.dumps([executable, command]) for executable in executables]
        (tmp_path / "interpreters.jsonl").write_text("".join(line + "\n" for line in lines))

    return write


def test_jobs_inside_pass(tmp_path, record):
    record(*[f"{tmp_path}/.snakemake/conda/1a_/bin/python"] * 2)
    assert check(tmp_path, 2) == ""


def test_one_job_outside_fails(tmp_path, record):
    record(f"{tmp_path}/.snakemake/conda/1a_/bin/python", f"{tmp_path}/.venv/bin/python")
    assert "outside the environment" in check(tmp_path, 2)


def test_too_few_stages_fail(tmp_path, record):
    record(f"{tmp_path}/.snakemake/conda/1a_/bin/python", command="python -c pass")
    assert "0 stages were recorded, 1 expected" in check(tmp_path, 1)


def test_no_record_fails(tmp_path):
    assert "0 stages" in check(tmp_path, 1)


def test_every_python_with_src_on_its_path_is_recorded(tmp_path):
    (tmp_path / "src" / "muon_imbalance").mkdir(parents=True)
    for name in ("__init__.py", "stage.py"):
        (tmp_path / "src" / "muon_imbalance" / name).touch()
    shutil.copy2(CONDA / "sitecustomize.py", tmp_path / "src")
    command = [sys.executable, "-m", "muon_imbalance.stage"]
    subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": "src"}, check=True)
    assert "outside the environment" in check(tmp_path, 1)
    assert "stages were recorded" not in check(tmp_path, 1)
