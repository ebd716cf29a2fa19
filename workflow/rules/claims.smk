# Claims and report.


rule judge:
    input:
        unpack(lambda _: claims.inputs(plan)),
        claims=claims.claim_files(plan),
        src=sources.stage(plan, "judge"),
    output:
        f"{RESULTS}/claims{{strict}}.json",
    log:
        f"{LOGS}/judge{{strict}}.log",
    benchmark:
        f"{BENCHMARKS}/judge{{strict}}.tsv"
    conda:
        ENVIRONMENT
    params:
        options=claims.option_file(plan, "judge"),
        scale=plan.scale,
        strict=lambda wildcards: "--strict" if wildcards.strict else "",
    message:
        "Judging the paper's claims"
    shell:
        "python -m muon_imbalance.stages.judge --claims claims --scale {params.scale} @{params.options}"
        " --output {output} {params.strict} 2>&1 | tee {log}"


rule claims:
    input:
        f"{RESULTS}/claims.json",


rule claims_strict:
    input:
        f"{RESULTS}/claims_strict.json",


rule publish:
    input:
        claims=f"{RESULTS}/claims.json",
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
