"""The Makefile's commands, without running what they start."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = "setup setup-dev paper more card test-quick test test-conda test-processors lint bench bench-sweeps".split()
TARGETS += ["bench-machine", "lock", "clean"]


def make(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_help_is_the_default_and_names_every_target():
    result = make()
    assert result.returncode == 0
    for target in TARGETS:
        assert f"make {target} " in result.stdout


def test_paper_sets_up_unlocks_and_runs_in_this_order():
    lines = make("--dry-run", "paper", "SCALE=smoke", "CORES=3").stdout.splitlines()
    (setup,) = [n for n, line in enumerate(lines) if line == "scripts/setup.sh"]
    (unlock,) = [n for n, line in enumerate(lines) if "scripts/unlock.py" in line]
    (run,) = [n for n, line in enumerate(lines) if ".venv/bin/snakemake --cores 3 --config scale=smoke" in line]
    assert setup < unlock < run


def test_paper_is_laptop_scale_on_all_cores():
    assert ".venv/bin/snakemake --cores all --config scale=laptop" in make("--dry-run", "paper").stdout


@pytest.mark.parametrize("scale", ["bogus", "", "smoke laptop"])
def test_unknown_scale_is_one_sentence(scale):
    result = make("paper", f"SCALE={scale}")
    assert result.returncode != 0
    assert f"error: SCALE='{scale}' is not a scale: use smoke, laptop, reference or paper" in result.stderr
    assert "snakemake" not in result.stdout and "setup" not in result.stdout


def test_a_card_is_drawn_by_its_page_and_needs_a_name():
    said = make("--dry-run", "card", "OPTIMIZER=shampoo", "SCALE=smoke", "ARGS=--configfile my.yaml").stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    command = ".venv/bin/snakemake --cores all --config scale=smoke --configfile my.yaml --"
    assert f"{command} results/smoke/cards/shampoo/index.html" in lines
    recipe = (ROOT / "Makefile").read_text().partition("\ncard:")[2].partition("\n\n")[0]
    assert "error: name an optimizer: make card OPTIMIZER=" in recipe


def test_tests_come_after_setup_and_linters():
    text = make("--dry-run", "test").stdout
    assert text.index("scripts/setup.sh --dev") < text.index("ruff check") < text.index("-m pytest")


def test_the_quick_tier_leaves_out_slow_tests_and_rooms_that_start_snakemake():
    (line,) = [line for line in make("--dry-run", "test-quick", "ARGS=-x").stdout.splitlines() if "-m pytest" in line]
    assert '-m "not slow"' in line and line.endswith(" -x")
    rooms = [word for word in line.split() if word.startswith("tests/")]
    assert all((ROOT / room).is_dir() for room in rooms)
    left_out = {f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if path.is_dir()} - set(rooms)
    assert left_out - {"tests/__pycache__"} == {
        "tests/bench",
        "tests/conda",
        "tests/environment",
        "tests/user_classes",
        "tests/workflow",
    }


def test_bench_sets_up_and_passes_its_arguments():
    text = make("--dry-run", "bench", "ARGS=--references elsewhere").stdout
    assert text.index("scripts/setup.sh --dev") < text.index("-m benchmarks.optimizers --references elsewhere")
