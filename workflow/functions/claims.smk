# What judging and the report are given.
from muon_imbalance.analysis.claims import audit

AUDIT = "claims/audit.yaml"
JUDGED = sorted({claim.experiment for claim in CLAIMS})
TEMPLATES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "src/muon_imbalance/reporting/site/templates").iterdir()
    if path.is_file()
)


try:
    audit.check_references(audit.read(ROOT / AUDIT), [claim.id for claim in CLAIMS], config["figures"])
except UserError as error:
    raise WorkflowError(str(error))


def judge_inputs(_):
    """Tables that the claims read."""
    return {
        "runs": [table for experiment in JUDGED for table in run_tables(experiment)],
        "theory": [theory_table(experiment) for experiment in JUDGED if "theory" in EXPERIMENTS[experiment]],
        "manifests": [path for experiment in JUDGED for path in manifests(experiment)],
    }


def judge_options():
    """Options of the stage, all as JSON."""
    return {
        "runs": json.dumps({experiment: run_tables(experiment) for experiment in JUDGED}),
        "theory": json.dumps({name: theory_table(name) for name in JUDGED if "theory" in EXPERIMENTS[name]}),
        "manifests": json.dumps({name: next(iter(manifests(name)), None) for name in JUDGED}),
        "experiments": json.dumps({name: EXPERIMENTS[name] for name in JUDGED}),
        "own": json.dumps({name: own for name in JUDGED if (own := sweeps.own(config, name))}),
    }


def report_figures():
    """What the report shows of each figure, as JSON."""
    shown = {}
    for figure in sorted(config["figures"]):  # fig_01 ..., fig_s1 ..., tab_1
        shown[figure] = {
            "files": figure_files(figure),
            "executed": executed_notebook(figure),
            "log": f"{LOGS}/render/{figure}.log",
        }
    return json.dumps(shown)
