# Claims and report.


rule judge:
    input:
        unpack(judge_inputs),
        claims=CLAIM_FILES,
        src=sources("stages.judge"),
    output:
        f"{RESULTS}/claims.json",
    log:
        f"{LOGS}/judge.log",
    benchmark:
        f"{BENCHMARKS}/judge.tsv"
    conda:
        ENVIRONMENT
    params:
        **judge_options(),
        scale=SCALE,
        strict="",
    message:
        "Judging the paper's claims"
    shell:
        "python -m muon_imbalance.stages.judge --claims claims --scale {params.scale} --runs {params.runs:q}"
        " --theory {params.theory:q} --manifests {params.manifests:q} --experiments {params.experiments:q}"
        " --own {params.own:q}"
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
        audit=AUDIT,
        src=sources("stages.publish"),
        templates=TEMPLATES,
    output:
        index=f"{RESULTS}/report/index.html",
        audit=f"{RESULTS}/report/audit.html",
    log:
        f"{LOGS}/publish.log",
    conda:
        ENVIRONMENT
    params:
        figures=report_figures(),
        scale=SCALE,
        note=config["scale_note"],
    message:
        "Writing the report"
    shell:
        "python -m muon_imbalance.stages.publish --claims {input.claims} --figures {params.figures:q}"
        " --audit {input.audit} --scale {params.scale} --scale-note={params.note:q} --output {output.index}"
        " 2>&1 | tee {log}"


rule report:
    input:
        rules.publish.output,
