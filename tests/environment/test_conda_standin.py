"""The stand-in for conda and its channel carry `snakemake --use-conda`: create, activate, reuse, refuse."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONDA = ROOT / "tests" / "conda"
BIN = Path(sys.executable).parent
PATCHED = not (Path(sys.base_prefix) / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages").is_dir()
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
WORKFLOW = """
rule one:
    output:
        "one.txt",
    conda:
        "environment.yaml"
    shell:
        "python -c 'import pip, sys; print(sys.executable)' > {output}"
"""
ENVIRONMENT = "channels: [conda-forge, nodefaults]\ndependencies: [python={minor}, pip]\n"

TRIAL = """
shell.prefix("export PYTHONPATH=src; ")
rule inside:
    output:
        "inside.txt",
    conda:
        "environment.yaml"
    shell:
        "python -m muon_imbalance.stage > {output}"
rule outside:
    output:
        "outside.txt",
    shell:
        "python -m muon_imbalance.stage > {output}"
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the local channel is for Linux"),
    pytest.mark.skipif(PATCHED, reason="a distribution's patched Python does not move into a conda package"),
]


@pytest.fixture(scope="module")
def conda(tmp_path_factory) -> dict[str, str]:
    """Environment variables of a command that finds the stand-in and the local channel."""
    root = tmp_path_factory.mktemp("conda")
    subprocess.run([sys.executable, CONDA / "local_channel.py", root / "channels"], check=True)
    subprocess.run([sys.executable, CONDA / "conda_standin.py", "install", root / "standin"], check=True)
    path = os.pathsep.join([str(root / "standin" / "bin"), str(BIN), os.environ["PATH"]])
    return os.environ | {"PATH": path, "CONDA_STANDIN_CHANNELS": f"file://{root / 'channels'}"}


def snakemake(folder: Path, variables: dict[str, str], *options: str) -> subprocess.CompletedProcess:
    command = [BIN / "snakemake", "--cores", "all", *options, "one.txt"]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)


def test_job_runs_inside_the_environment_which_is_reused(conda, tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    (tmp_path / "environment.yaml").write_text(ENVIRONMENT.format(minor=MINOR))
    first = snakemake(tmp_path, conda, "--use-conda")
    assert first.returncode == 0, first.stderr
    interpreter = Path((tmp_path / "one.txt").read_text().strip())
    assert interpreter.is_relative_to(tmp_path / ".snakemake" / "conda")

    (tmp_path / "one.txt").unlink()
    second = snakemake(tmp_path, conda, "--use-conda")
    assert second.returncode == 0
    assert "Creating conda environment" in first.stderr and "Creating conda environment" not in second.stderr

    # Without --use-conda the same rule runs outside: the check above tells the two apart.
    (tmp_path / "one.txt").unlink()
    assert snakemake(tmp_path, conda).returncode == 0
    assert not Path((tmp_path / "one.txt").read_text().strip()).is_relative_to(tmp_path / ".snakemake")


def test_python_that_the_channel_lacks_is_refused(conda, tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    (tmp_path / "environment.yaml").write_text(ENVIRONMENT.format(minor="3.5"))
    result = snakemake(tmp_path, conda, "--use-conda")
    assert result.returncode == 1
    assert "CreateCondaEnvironmentException" in result.stderr and "python 3.5" in result.stderr


def test_the_trial_passes_inside_and_fails_outside(conda, tmp_path):
    """run.sh on a small project: a rule with an environment passes, one that forgot it does not."""
    stage = tmp_path / "src" / "muon_imbalance" / "stage.py"
    stage.parent.mkdir(parents=True)
    stage.touch()
    stage.with_name("__init__.py").touch()
    (tmp_path / "Snakefile").write_text(TRIAL)
    (tmp_path / "environment.yaml").write_text(ENVIRONMENT.format(minor=MINOR))
    shutil.copytree(CONDA, tmp_path / "tests" / "conda")
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / ".venv").symlink_to(BIN.parent)
    (tmp_path / ".gitignore").write_text("/.venv\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)

    def trial(target: str) -> subprocess.CompletedProcess:
        command = ["bash", tmp_path / "tests" / "conda" / "run.sh", target]
        return subprocess.run(command, env=conda, capture_output=True, text=True)

    result = trial("inside.txt")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "using conda 24.7.1 (stand-in)" in result.stdout and "passed: 1 targets" in result.stdout
    shutil.rmtree(tmp_path / "profiles")  # Snakemake's own rerun triggers count a change of the environment
    result = trial("inside.txt")
    assert result.returncode == 1
    assert "wants to run finished jobs again" in result.stderr
    result = trial("outside.txt")
    assert result.returncode == 1
    assert "outside the environment" in result.stderr and "a job did not run in the conda" in result.stderr


def test_unsupported_question_fails(conda, tmp_path):
    result = subprocess.run(["conda", "list", "--explicit"], env=conda, capture_output=True, text=True)
    assert result.returncode == 1
    assert "not supported: list --explicit" in result.stderr
