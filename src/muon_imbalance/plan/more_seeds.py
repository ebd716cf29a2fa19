"""More repetitions for what one claim needs: ``make more CLAIM=C3.1.cifar10_r5 SEEDS=8``.

What is asked for is kept in ``results/<scale>/more.yaml``, a settings file that ``make paper`` lays over the others as
long as it is there. Runs that were trained already are not trained again (:mod:`muon_imbalance.training.kept_runs`).
"""

from pathlib import Path
from typing import Any

import yaml

from muon_imbalance.common.errors import UserError, refusal
from muon_imbalance.common.files import write_text
from muon_imbalance.plan import claims, files
from muon_imbalance.plan.job import overlaid
from muon_imbalance.plan.planning import Plan


def path(plan: Plan) -> Path:
    """The settings file of a scale."""
    return plan.root / files.results(plan) / "more.yaml"


def wanted(plan: Plan, claim: str, seeds: int) -> dict[str, Any]:
    """Settings that give the experiments of a claim, and their data sets, so many repetitions.

    Raises:
        UserError: no such claim, one that no repetition can decide, or a number that its experiments do not plan to be
            judged at.
    """
    stated = {one.id: one for one in claims.read(plan)}
    if claim not in stated:
        raise refusal("make more", "CLAIM", claim, f"an id of claims/, such as {', '.join(list(stated)[:3])}")
    found: dict[str, Any] = {"experiments": {}, "datasets": {}}
    for name in stated[claim].experiments:
        one = plan.training.get(name)
        if one is None or stated[claim].evidence != "interval":
            raise UserError(f"claim {claim} is computed, not sampled: more repetitions of {name} say nothing new")
        if seeds not in one.looks or seeds <= one.seeds:
            planned = ", ".join(str(n) for n in one.looks if n > one.seeds)
            raise refusal(
                f"experiment {name}", "SEEDS", seeds, f"{planned or 'none'} (looks planned beyond {one.seeds})"
            )
        found["experiments"][name] = {"seeds": seeds}
        if one.dataset and plan.datasets[one.dataset].config.get("repetitions", seeds) < seeds:
            found["datasets"][one.dataset] = {"config": {"repetitions": seeds}}
    return {key: value for key, value in found.items() if value}


def write(plan: Plan, claim: str, seeds: int) -> Path:
    """Add what a claim wants to the settings file."""
    file = path(plan)
    before = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    text = yaml.safe_dump(overlaid(before or {}, wanted(plan, claim, seeds)), sort_keys=False)
    write_text(file, f"# Written by `make more`; delete this file to go back to the configured repetitions.\n{text}")
    return file
