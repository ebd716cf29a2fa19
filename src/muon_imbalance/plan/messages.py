"""What is printed around a run: its cost before, and where to look after it."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from muon_imbalance.plan import files
from muon_imbalance.plan.planning import Plan

VERDICTS = ("holds", "fails", "absent", "inconclusive", "not-run")


def core_seconds(plan: Plan, experiment: str) -> float:
    """Processor time of an experiment's jobs, as their logs end with it (the last run of each job)."""
    total = 0.0
    for stage in ("solve", "tune", "train"):
        folder = plan.root / files.logs(plan) / stage
        for file in [*folder.glob(f"{experiment}.log"), *folder.glob(f"{experiment}/*.log")]:
            found = re.findall(r"^processor time: ([0-9.]+) s$", file.read_text(encoding="utf-8"), re.MULTILINE)
            total += float(found[-1]) if found else 0.0
    return total


def cost(plan: Plan) -> str:
    """Measured cost of each experiment beside its budget."""
    parts = []
    for name, experiment in plan.experiments.items():
        if spent := core_seconds(plan, name):
            over = " (over budget)" if spent > experiment.budget_core_s else ""
            parts.append(f"{name} {spent:.0f} of {experiment.budget_core_s:g}{over}")
    return f"Core-seconds: {', '.join(parts)}" if parts else ""


def closing(plan: Plan) -> str:
    """What to look at after a successful run."""
    words, page = [], f"{files.results(plan)}/report/index.html"
    if (plan.root / page).is_file():
        words.append(f"Report: {page}")
    claims = plan.root / files.results(plan) / "claims.json"
    if claims.is_file():
        words.append(f"Claims at scale {plan.scale}: {counted(json.loads(claims.read_text(encoding='utf-8')))}")
    return "\n".join(filter(None, [*words, cost(plan)]))


def counted(records: Iterable[Mapping[str, Any]]) -> str:
    """Number of each verdict among records of claims."""
    counts = Counter(record.get("verdict") for record in records)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)


def failing(plan: Plan) -> str:
    """Where to look after a failed run."""
    logs = files.logs(plan)
    return f"A job failed. Its log is shown above and lies in {logs}/. What was computed is kept; run again to go on."


def is_dry_run(arguments: Sequence[str]) -> bool:
    """Whether Snakemake was called for a dry run; ``workflow.dryrun`` is not known yet when the rules are read."""
    return any(re.fullmatch("-[a-z]*n[a-z]*|--dry-?run", argument) for argument in arguments)


def planning(plan: Plan) -> str:
    """What all experiments of this scale may cost together; the jobs themselves Snakemake counts."""
    hours = sum(experiment.budget_core_s for experiment in plan.experiments.values()) / 3600
    return f"Budget of all experiments at scale {plan.scale}: {hours:,.1f} core-hours on a CPU (budget_core_s)"
