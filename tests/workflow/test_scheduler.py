"""Snakemake's default limit of jobs a second, whose timers never end, is taken away; one that was asked for stays."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOW = """
import sys
sys.path.insert(0, "{source}")
from muon_imbalance.plan.scheduling import drop_default_limit
onstart:
    drop_default_limit(workflow)
onsuccess:
    print("limiter:", workflow.scheduler.job_rate_limiter is not None)
rule one:
    output: "one"
    shell: "touch {{output}}"
"""


@pytest.mark.parametrize(("options", "kept"), [([], False), (["--max-jobs-per-timespan", "50/1s"], True)])
def test_the_default_limit_is_dropped(tmp_path, options, kept):
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(source=ROOT / "src"), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (tmp_path / "one").is_file(), done.stderr
    assert f"limiter: {kept}" in done.stdout + done.stderr
