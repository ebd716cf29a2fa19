# Claims and report.
JUDGED = sorted({family["experiment"] for family in CLAIM_FAMILIES})


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
    }


def report_figures():
    """What the report shows of each figure, as JSON."""
    shown = {}
    for figure in config["figures"]:
        shown[figure] = {
            "files": figure_files(figure),
            "executed": executed_notebook(figure),
            "log": f"{LOGS}/render/{figure}.log",
        }
    return json.dumps(shown)


rule judge:
    input:
        unpack(judge_inputs),
        claims=CLAIM_FILES,
        schema="workflow/schemas/claims.schema.yaml",
        src=sources("judge"),
    output:
        f"{RESULTS}/claims.json",
    log:
        f"{LOGS}/judge.log",
    benchmark:
        f"{BENCHMARKS}/judge.tsv"
    params:
        **judge_options(),
        scale=SCALE,
        strict="",
    conda:
        ENVIRONMENT
    message:
        "Judging the paper's claims"
    shell:
        "python -m muon_imbalance.judge --claims claims --scale {params.scale} --runs {params.runs:q}"
        " --theory {params.theory:q} --manifests {params.manifests:q} --experiments {params.experiments:q}"
        " --output {output} {params.strict} 2>&1 | tee {log}"


rule claims:
    input:
        rules.judge.output,


use rule judge as judge_strict with:
    output:
        f"{RESULTS}/claims_strict.json",
    log:
        f"{LOGS}/judge_strict.log",
    benchmark:
        f"{BENCHMARKS}/judge_strict.tsv"
    params:
        **judge_options(),
        scale=SCALE,
        strict="--strict",
    message:
        "Judging the paper's claims; one that fails stops the run"


rule claims_strict:
    input:
        rules.judge_strict.output,


rule publish:
    input:
        claims=rules.judge.output,
        figures=[figure_files(figure) for figure in config["figures"]],
        notebooks=[executed_notebook(figure) for figure in config["figures"]],
        src=sources("publish"),
        template="src/muon_imbalance/reporting/templates/report.html.j2",
    output:
        f"{RESULTS}/report/index.html",
    log:
        f"{LOGS}/publish.log",
    params:
        figures=report_figures(),
        scale=SCALE,
    conda:
        ENVIRONMENT
    message:
        "Writing the report"
    shell:
        "python -m muon_imbalance.publish --claims {input.claims} --figures {params.figures:q}"
        " --scale {params.scale} --output {output} 2>&1 | tee {log}"


rule report:
    input:
        rules.publish.output,
