"""What judging and the report are given, and whether claims and audit fit the configuration."""

import hashlib
import json
from pathlib import Path
from typing import Any

from muon_imbalance.common.files import write_text
from muon_imbalance.plan import files, sweeps
from muon_imbalance.plan.planning import Plan

CLAIMS, AUDIT = "claims", "claims/audit.yaml"


def claim_files(plan: Plan) -> list[str]:
    """Files of claims, one for each family."""
    folder = plan.root / CLAIMS
    return sorted(str(path.relative_to(plan.root)) for path in folder.glob("*.yaml") if path.name != Path(AUDIT).name)


def read(plan: Plan) -> list[Any]:
    """All claims, variants included, after a look at the audit; what they name is part of the configuration.

    Raises:
        UserError: naming file, claim, value and what is allowed.
    """
    from muon_imbalance.analysis.claims import audit, claim_records  # with pandas, which nothing else here needs

    stated = claim_records.read_all(plan.root / CLAIMS)
    claim_records.check_names(stated, plan.experiments, plan.figures)
    audit.check_references(audit.read(plan.root / AUDIT), [claim.id for claim in stated], plan.figures)
    return stated


def of_figure(plan: Plan, figure: str) -> list[str]:
    """Ids of the claims that a figure shows, without variants."""
    return [claim.id for claim in plan.claims if claim.figure == figure and "@" not in claim.id]


def judged(plan: Plan) -> list[str]:
    """Experiments that claims are judged on."""
    return sorted({name for claim in plan.claims for name in claim.experiments})


def evidence(plan: Plan) -> dict[str, Any]:
    """What the stage ``judge`` is given of each experiment."""
    names = judged(plan)
    return {
        "runs": {name: files.run_tables(plan, name) for name in names},
        "theory": {name: files.theory_table(plan, name) for name in names if plan.experiments[name].theory},
        "manifests": {name: next(iter(files.manifests(plan, name)), None) for name in names},
        "experiments": {name: plan.written(name) for name in names},
        "own": {name: users for name in names if (users := sweeps.users(plan, name))},
    }


def inputs(plan: Plan) -> dict[str, list[str]]:
    """Tables that the claims read, and manifests of the data behind them."""
    given = evidence(plan)
    runs = [table for tables in given["runs"].values() for table in tables]
    manifests = [*filter(None, given["manifests"].values())]
    return {"runs": runs, "theory": [*given["theory"].values()], "manifests": manifests}


def shown(plan: Plan) -> dict[str, Any]:
    """What the stage ``publish`` is given of each figure: fig_01 ..., fig_s1 ..., tab_1."""
    return {
        name: {
            "files": files.figure_files(plan, name),
            "executed": files.executed_notebook(plan, name),
            "log": f"{files.logs(plan)}/render/{name}.log",
        }
        for name in sorted(plan.figures)
    }


def long_options(plan: Plan) -> dict[str, str]:
    """Files with options that are too long for a command line, and their text: what a stage reads after ``@``.

    A file's name holds the digest of its text, so that a rule whose parameters name it reruns when the text changes.
    """
    texts = {
        "judge": "".join(f"--{key}={json.dumps(value)}\n" for key, value in evidence(plan).items()),
        "publish": json.dumps(shown(plan), indent=1) + "\n",
    }
    return {
        f"{files.results(plan)}/options/{stage}.{hashlib.sha256(text.encode()).hexdigest()[:16]}": text
        for stage, text in texts.items()
    }


def option_file(plan: Plan, stage: str) -> str:
    """Where the long options of a stage lie."""
    return next(path for path in long_options(plan) if Path(path).name.startswith(f"{stage}."))


def write_long_options(plan: Plan) -> None:
    """Write the files that :func:`option_file` names, and remove older ones."""
    wanted = {plan.root / path: text for path, text in long_options(plan).items()}
    for stale in set((plan.root / files.results(plan) / "options").glob("*.*")) - set(wanted):
        stale.unlink()
    for path, text in wanted.items():
        write_text(path, text)
