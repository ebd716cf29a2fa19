"""Training jobs stay the same, experiment by experiment, unless somebody means to change them.

``PYTHONPATH=src python -m tests.plan.test_job_lists`` writes job_lists.json anew.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from muon_imbalance.plan.job import Job

from .configurations import ROOT, SCALES, all_jobs, plan_of

KEPT = Path(__file__).with_name("job_lists.json")


def digests(scale: str) -> dict[str, str]:
    """Number of jobs of each experiment, and a digest of what they are given."""
    plan = plan_of(scale)
    found = {}
    for name in plan.training:
        listed = all_jobs(plan, name)
        text = json.dumps(listed, sort_keys=True)
        found[name] = f"{len(listed)} {hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return found


@pytest.mark.parametrize("scale", SCALES)
def test_the_job_lists_are_those_that_were_kept(scale):
    kept, found = json.loads(KEPT.read_text(encoding="utf-8"))[scale], digests(scale)
    changed = sorted(name for name in kept | found if kept.get(name) != found.get(name))
    assert not changed, "if this is meant: PYTHONPATH=src python -m tests.plan.test_job_lists"


@pytest.mark.parametrize("scale", SCALES)
def test_every_job_is_one_that_training_takes(scale):
    plan = plan_of(scale)
    for name in plan.training:
        for given in all_jobs(plan, name):
            job = Job.parse(json.dumps(given))
            assert job.runs() and (job.experiment, job.rule) == (name, plan.optimizers[job.optimizer].rule)


def test_a_sweep_in_several_jobs_is_the_whole_sweep():
    plan = plan_of("paper")
    listed = [job for job in all_jobs(plan, "cifar10_r20") if job["phase"] == "grid" and job["optimizer"] == "nmd"]
    assert len({json.dumps([job["cells"], job["seeds"]]) for job in listed}) == len(listed) > 1
    assert [job["first_run"] for job in listed] == list(range(len(listed)))


def test_planning_needs_no_torch():
    code = "import sys; from muon_imbalance.plan.planning import Plan; from muon_imbalance.plan import jobs, describe\n"
    code += f"plan = Plan.read({str(ROOT)!r}); jobs.job(plan, 'colored_mnist', 'muon', 'final')\n"
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert done.stdout.strip() == "False"


if __name__ == "__main__":
    lists = {scale: digests(scale) for scale in SCALES}
    KEPT.write_text(json.dumps(lists, indent=1) + "\n", encoding="utf-8")
