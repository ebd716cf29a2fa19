"""scripts/setup.sh builds, repairs, updates and refuses: its calls and the sentences it prints."""

import subprocess
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OTHER = "#!/bin/sh\necho {verdict} {version} /nowhere/python\n"


def sentence(result: subprocess.CompletedProcess) -> str:
    """The one line of a refusal."""
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("setup: error:")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def ready(project):
    """A project whose set-up is finished, with uv."""
    project.python("python3.11")
    result = project.run()
    assert result.returncode == 0, result.stderr
    return project


def test_first_setup_installs_the_lock_and_the_project_by_uv(ready):
    python = f"--python {ready.venv}/bin/python"
    assert ready.calls() == [
        "venv",
        "pip uv",
        f"uv pip install {python} -r requirements.lock",
        f"uv pip install {python} --quiet --no-deps --no-build-isolation -e .",
    ]


def test_finished_setup_does_nothing_quickly(ready):
    ready.calls()
    start = time.monotonic()
    result = ready.run()
    assert time.monotonic() - start < 1
    assert (result.returncode, result.stdout, ready.calls()) == (0, "setup: up to date\n", [])


def test_dev_adds_only_the_dev_lock_once(ready):
    ready.calls()
    assert ready.run("--dev").returncode == 0
    assert ready.calls() == [f"uv pip install --python {ready.venv}/bin/python -r requirements-dev.lock"]
    assert ready.run("--dev").stdout == "setup: up to date\n"
    assert ready.run().stdout == "setup: up to date\n"
    assert ready.calls() == []


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_file_is_installed_without_rebuilding(ready, name):
    ready.calls()
    (ready.root / name).write_text("# changed\n")
    assert ready.run().returncode == 0
    calls = ready.calls()
    assert "venv" not in calls
    assert calls[0].endswith("-r requirements.lock")
    assert ready.run().stdout == "setup: up to date\n"


def test_changed_dev_lock_concerns_dev_only(ready):
    ready.run("--dev")
    ready.calls()
    (ready.root / "requirements-dev.lock").write_text("# changed\n")
    assert ready.run().stdout == "setup: up to date\n"
    ready.run("--dev")
    assert [call.split()[-1] for call in ready.calls()] == ["requirements-dev.lock"]


def test_half_built_environment_is_rebuilt(ready):
    ready.calls()
    (ready.venv / ".setup-base").unlink()
    (ready.venv / "rest of the old one").touch()
    result = ready.run()
    assert "it holds no finished set-up" in result.stdout
    assert ready.calls()[0] == "venv"
    assert not (ready.venv / "rest of the old one").exists()


def test_environment_whose_python_does_not_start_is_rebuilt(ready):
    ready.calls()
    (ready.venv / "bin" / "python").write_text("#!/bin/sh\nexit 127\n")
    result = ready.run()
    assert "its Python does not start" in result.stdout
    assert ready.calls()[0] == "venv"


def test_moved_environment_is_rebuilt(ready):
    ready.calls()
    moved = ready.root.rename(ready.root.parent / "moved")
    ready.root = moved
    assert "made in another folder" in ready.run().stdout
    assert ready.calls()[0] == "venv"


def test_failed_installation_is_told_and_repaired(project):
    project.python("python3.11")
    result = project.run(FAKE_UV="broken", FAKE_PIP="broken")
    assert "requirements.lock could not be installed" in sentence(result)
    assert "network" in result.stderr
    project.calls()
    assert project.run().returncode == 0
    assert project.calls()[0] == "venv"


def test_failed_update_is_repaired_from_the_ground(ready):
    (ready.root / "requirements.lock").write_text("# changed\n")
    assert "could not be installed" in sentence(ready.run(FAKE_UV="broken", FAKE_PIP="broken"))
    ready.calls()
    assert ready.run().returncode == 0
    assert ready.calls()[0] == "venv"


@pytest.mark.parametrize("uv", ["absent", "broken"])
def test_pip_takes_over_when_uv_cannot(project, uv):
    project.python("python3.11")
    result = project.run(FAKE_UV=uv)
    assert result.returncode == 0
    assert "pip, which is slower" in result.stdout
    by_pip = [call for call in project.calls() if call.startswith("pip -m pip install")]
    assert [call.split()[-1] for call in by_pip] == ["requirements.lock", "."]


def test_two_setups_at_once_build_one_environment(project):
    project.python("python3.11")
    environment = project.environment(FAKE_SLEEP="1")
    both = [subprocess.Popen(project.command(), env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert project.calls().count("venv") == 1
    assert sum("waiting for it" in text for text in printed) == 1
    assert sum(text.endswith("up to date\n") for text in printed) == 1


def test_a_suitable_python_behind_an_old_one_is_found(project):
    project.python("python3", OTHER.format(verdict="old", version="3.9.2"))
    project.python("python3.12")
    assert project.run().returncode == 0


def test_python_too_old(project):
    project.python("python3", OTHER.format(verdict="old", version="3.9.2"))
    text = sentence(project.run())
    assert "3.11 or newer is needed" in text and "python3 is 3.9.2" in text


def test_python_missing(project):
    assert "no Python was found" in sentence(project.run())


def test_a_launcher_without_a_python_behind_it_is_no_python(project):
    project.python("python3.12", "#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    assert "no Python was found" in sentence(project.run())


def test_python_without_venv_module(project):
    project.python("python3.11", OTHER.format(verdict="novenv", version="3.11.2"))
    assert "python3.11 (3.11.2) has no venv module" in sentence(project.run())


def test_chosen_python_that_does_not_start(project):
    project.python("python3.11")
    assert "PYTHON=/no/such/python does not start" in sentence(project.run(PYTHON="/no/such/python"))


def test_unknown_option(project):
    assert "unknown option --fast" in sentence(project.run("--fast"))


BACKEND = '''
"""The smallest build backend: an editable wheel with one path file."""
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "toy-1-py3-none-any.whl"
    info = "toy-1.dist-info/"
    files = {
        "toy.pth": __file__.rpartition("/")[0] + "/src\\n",
        info + "METADATA": "Metadata-Version: 2.1\\nName: toy\\nVersion: 1\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[info + "RECORD"] = "".join(f"{file},,\\n" for file in [*files, info + "RECORD"])
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return name
'''
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "toy"
version = "1"
"""


@pytest.mark.slow
def test_real_environment_without_network(project):
    """A real venv and pip without an index: a lock with one local wheel, the project installed in place."""
    project.python("python3.11", '#!/bin/sh\nexec "$REAL_PYTHON" "$@"\n')
    (project.root / "pyproject.toml").write_text(PYPROJECT)
    (project.root / "backend.py").write_text(BACKEND)
    (project.root / "src").mkdir()
    (project.root / "src" / "toy.py").write_text("ANSWER = 42\n")
    wheels = project.root.parent / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "tiny-2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "VALUE = 2\n")
        wheel.writestr("tiny-2.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 2\n")
        wheel.writestr("tiny-2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-2.dist-info/RECORD", "tiny.py,,\n")
    (project.root / "requirements.lock").write_text("tiny==2\n")
    result = project.run(PIP_FIND_LINKS=str(wheels))
    assert result.returncode == 0, result.stdout + result.stderr
    code = "import tiny, toy; print(tiny.VALUE, toy.ANSWER)"
    answer = subprocess.run([project.venv / "bin/python", "-I", "-c", code], capture_output=True, text=True)
    assert answer.stdout == "2 42\n"
    assert project.run().stdout == "setup: up to date\n"
    # The same without the wheel: a clear end, no half-built environment taken for a finished one.
    (project.root / "requirements.lock").write_text("tiny==3\n")
    assert "requirements.lock could not be installed" in sentence(project.run(PIP_FIND_LINKS=str(wheels)))
    assert not (project.venv / ".setup-base").exists()


def test_scripts_name_no_host():
    for script in (ROOT / "scripts").iterdir():
        if script.is_file():
            text = script.read_text()
            assert "://" not in text and "pypi" not in text.lower(), script
