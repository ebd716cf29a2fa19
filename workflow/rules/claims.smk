# Claims and report.


rule judge:
    input:
        unpack(lambda _: claims.inputs(plan)),
        claims=claims.claim_files(plan),
        src=sources.stage(plan, "judge"),
    output:
        f"{RESULTS}/claims.json",
    log:
        f"{LOGS}/judge.log",
    benchmark:
        f"{BENCHMARKS}/judge.tsv"
    conda:
        ENVIRONMENT
    params:
        options=claims.option_file(plan, "judge"),
        scale=plan.scale,
        strict="",
    message:
        "Judging the paper's claims"
    shell:
        "python -m muon_imbalance.stages.judge --claims claims --scale {params.scale} @{params.options}"
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
        options=claims.option_file(plan, "judge"),
        scale=plan.scale,
        strict="--strict",
    message:
        "Judging the paper's claims; one that fails stops the run"


rule claims_strict:
    input:
        rules.judge_strict.output,


rule publish:
    input:
        claims=rules.judge.output,
        figures=[files.figure_files(plan, figure) for figure in plan.figures],
        notebooks=[files.executed_notebook(plan, figure) for figure in plan.figures],
        audit=claims.AUDIT,
        src=sources.stage(plan, "publish"),
        templates=files.templates(plan),
    output:
        index=f"{RESULTS}/report/index.html",
        audit=f"{RESULTS}/report/audit.html",
    log:
        f"{LOGS}/publish.log",
    conda:
        ENVIRONMENT
    params:
        figures=claims.option_file(plan, "publish"),
        scale=plan.scale,
        note=plan.run.scale_note,
    message:
        "Writing the report"
    shell:
        "python -m muon_imbalance.stages.publish --claims {input.claims} --figures @{params.figures}"
        " --audit {input.audit} --scale {params.scale} --scale-note={params.note:q} --output {output.index}"
        " 2>&1 | tee {log}"


rule report:
    input:
        rules.publish.output,
