# Report cards, `make card OPTIMIZER=name`: one optimizer against a few others on several families of problems.
CARD_NOTEBOOK = "notebooks/card_optimizer.ipynb"


rule measure:
    input:
        data=data_inputs,
        src=lambda wildcards: training_sources(wildcards, wildcards.optimizer) + sources("stages.measure"),
        checked=lambda wildcards: own_check(wildcards.optimizer),
    output:
        f"{RESULTS}/measured/{{experiment}}/{{optimizer}}.json",
    log:
        f"{LOGS}/measure/{{experiment}}/{{optimizer}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    params:
        job=lambda wildcards: job(wildcards, wildcards.optimizer, "grid"),
        data=data_option,
    message:
        "Timing {wildcards.optimizer} on {wildcards.experiment}"
    shell:
        "python -m muon_imbalance.stages.measure --job {params.job:q} {params.data} --output {output} 2>&1 | tee {log}"


rule card:
    input:
        notebook=CARD_NOTEBOOK,
        runs=lambda wildcards: [path for paths in card_runs(wildcards.optimizer).values() for path in paths],
        measured=lambda wildcards: card_measured(wildcards.optimizer),
        manifests=card_manifests(),
        src=[
            str(file.relative_to(ROOT))
            for file in notebook_files.source_files(notebook_files.read(ROOT / CARD_NOTEBOOK), CARD_NOTEBOOK)
        ],
        templates=TEMPLATES,
    output:
        files=expand(
            f"{RESULTS}/cards/{{{{optimizer}}}}/card_optimizer.{{ending}}", ending=["pdf", "png", "csv", "json"]
        ),
        executed=f"{RESULTS}/cards/{{optimizer}}/card_optimizer.ipynb",
        page=f"{RESULTS}/cards/{{optimizer}}/index.html",
    log:
        text=f"{LOGS}/card/{{optimizer}}.log",
        notebook=f"{LOGS}/card/{{optimizer}}.ipynb",
    conda:
        ENVIRONMENT
    params:
        parameters=lambda wildcards: card_parameters(wildcards.optimizer),
        provenance=lambda wildcards: card_provenance(wildcards.optimizer),
        folder=figures_folder,
    message:
        "Drawing the report card of {wildcards.optimizer}"
    shell:
        "python -m muon_imbalance.stages.render --id card --notebook {input.notebook} --parameters {params.parameters:q}"
        " --provenance {params.provenance:q} --figures-dir {params.folder} --executed {output.executed}"
        " --log-notebook {log.notebook} --page {output.page} 2>&1 | tee {log.text}"
