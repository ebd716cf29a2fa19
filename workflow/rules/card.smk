# Report cards, `make card OPTIMIZER=name`: one optimizer against a few others on several families of problems.


rule measure:
    input:
        data=lambda wildcards: files.manifests(plan, wildcards.experiment),
        src=lambda w: sources.training(plan, w.experiment, w.optimizer) + sources.stage(plan, "measure"),
        checked=lambda wildcards: jobs.class_check(plan, wildcards.optimizer),
    output:
        f"{RESULTS}/measured/{{experiment}}/{{optimizer}}.json",
    log:
        f"{LOGS}/measure/{{experiment}}/{{optimizer}}.log",
    conda:
        ENVIRONMENT
    params:
        job=lambda wildcards: jobs.text(plan, wildcards.experiment, wildcards.optimizer, "grid"),
        data=lambda wildcards: jobs.data_option(plan, wildcards.experiment),
    message:
        "Timing {wildcards.optimizer} on {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.stages.measure --job {params.job:q} {params.data} --output {output} 2>&1 | tee {log}"


rule card:
    input:
        notebook=report_card.NOTEBOOK,
        runs=lambda wildcards: sum(report_card.runs(plan, wildcards.optimizer).values(), []),
        measured=lambda wildcards: report_card.measured(plan, wildcards.optimizer),
        manifests=files.all_manifests(plan, plan.card.experiments),
        src=sources.of_notebook(plan, report_card.NOTEBOOK),
        templates=files.templates(plan),
    output:
        files=multiext(f"{RESULTS}/cards/{{optimizer}}/card_optimizer", ".pdf", ".png", ".csv", ".json"),
        executed=f"{RESULTS}/cards/{{optimizer}}/card_optimizer.ipynb",
        page=f"{RESULTS}/cards/{{optimizer}}/index.html",
    log:
        text=f"{LOGS}/card/{{optimizer}}.log",
        notebook=f"{LOGS}/card/{{optimizer}}.ipynb",
    conda:
        ENVIRONMENT
    params:
        parameters=lambda wildcards: report_card.parameters(plan, wildcards.optimizer),
        provenance=lambda wildcards: report_card.provenance(plan, wildcards.optimizer),
        folder=lambda wildcards, output: str(Path(output.files[0]).parent),
    message:
        "Drawing the report card of {wildcards.optimizer}"
    shell:
        "python -m muon_imbalance.stages.render --id card --notebook {input.notebook} --parameters {params.parameters:q}"
        " --provenance {params.provenance:q} --figures-dir {params.folder} --executed {output.executed}"
        " --log-notebook {log.notebook} --page {output.page} 2>&1 | tee {log.text}"
