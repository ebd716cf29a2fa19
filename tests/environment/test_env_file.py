"""envs/pipeline.yaml holds exactly the pins of requirements.lock, and the check notices when it does not."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
SPEC = importlib.util.spec_from_file_location("make_env", ROOT / "scripts" / "make_env.py")
make_env = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_env)


def check(lock: Path, environment: Path) -> int:
    command = [
        sys.executable,
        ROOT / "scripts/make_env.py",
        "--check",
        "--lock",
        lock,
        "--output",
        environment,
    ]
    return subprocess.run(command, capture_output=True).returncode


def test_environment_file_matches_the_lock():
    assert check(ROOT / "requirements.lock", ROOT / "envs" / "pipeline.yaml") == 0


def test_only_python_and_pip_come_from_conda():
    environment = yaml.safe_load((ROOT / "envs" / "pipeline.yaml").read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    *conda, section = environment["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert section["pip"] == make_env.pins(LOCK)
    assert any(pin.startswith("torch==") for pin in section["pip"])
    assert any(" ; sys_platform ==" in pin for pin in section["pip"])


@pytest.mark.parametrize(
    "old, new",
    [
        ("torch==2.", "torch==3."),
        ("seaborn==", "not-seaborn=="),
        (" ; sys_platform == 'win32'", ""),
        ("\nsympy==", "\nadded==1\nsympy=="),
    ],
)
def test_check_bites(tmp_path, old, new):
    assert old in LOCK
    changed = tmp_path / "requirements.lock"
    changed.write_text(LOCK.replace(old, new, 1))
    assert check(changed, ROOT / "envs" / "pipeline.yaml") == 1


def test_missing_file_is_a_difference(tmp_path):
    assert check(ROOT / "requirements.lock", tmp_path / "pipeline.yaml") == 1


@pytest.mark.parametrize("line", ["torch>=2", "-r other.txt", "torch @ file:///somewhere/torch.whl", "torch"])
def test_a_line_that_is_no_pin_is_refused(line):
    with pytest.raises(ValueError, match="not a pin"):
        make_env.pins(f"numpy==2.0\n{line}\n")


def test_comments_are_left_out():
    assert make_env.pins("# head\na==1\n    # via b\nb==2 ; os_name == 'nt'  # why\n") == [
        "a==1",
        "b==2 ; os_name == 'nt'",
    ]
