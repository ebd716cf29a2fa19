"""Every command and every line of Python in the README works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.split("#")[0].strip()
]


def test_there_are_commands():
    assert len(COMMANDS) >= 7 and "make paper" in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command, smoke):
    program, *arguments = shlex.split(command)
    if program == "make":
        done = subprocess.run(["make", "-n", *arguments], cwd=smoke.folder, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, done.stderr
    elif program.endswith("snakemake"):
        arguments = [argument for argument in arguments if argument != "--use-conda"] + ["-n"]
        cores, count, *targets = arguments
        assert (cores, count) == ("--cores", "all")
        assert smoke.planned(*[target for target in targets if target != "-n"], scale="laptop")
    elif program.endswith("muon-imbalance"):
        tool = Path(sys.executable).parent / "muon-imbalance"
        done = subprocess.run([tool, *arguments, "--scale", "smoke"], cwd=smoke.folder, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, done.stderr
    else:
        pytest.fail(f"the README holds a command that no test knows: {command}")


def test_the_python_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code + "\nprint(float((params['weight'] - target).abs().max()))"],
        capture_output=True, text=True, cwd=ROOT / "src",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.5


def test_places_named_in_the_readme_exist(smoke):
    for path in re.findall(r"`((?:config|workflow|claims|notebooks|profiles)[\w/.-]*\.(?:yaml|ipynb))`", TEXT):
        assert (smoke.folder / path).is_file(), path
    assert (ROOT / "docs/fig_02.png").is_file()


def test_every_target_of_the_readme_is_a_rule(smoke):
    named = re.search(r"Further names: (.*?)\. What", TEXT, re.DOTALL).group(1)
    listed = smoke.run("--list").stdout
    for name in re.findall(r"`(\w+)`", named):
        assert re.search(rf"^{name}$", listed, re.MULTILINE), name
