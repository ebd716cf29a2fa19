# Figures and tables: one notebook each, run by papermill through our strict runner.
for figure in plan.figures:

    rule:
        name:
            f"render_{figure}"
        input:
            notebook=figures.notebook_file(plan, figure),
            runs=figures.runs(plan, figure),
            theory=figures.theory(plan, figure),
            manifests=figures.manifests(plan, figure),
            src=figures.source_files(plan, figure),
        output:
            files=files.figure_files(plan, figure),
            executed=files.executed_notebook(plan, figure),
        log:
            text=f"{LOGS}/render/{figure}.log",
            notebook=f"{LOGS}/render/{figure}.ipynb",
        benchmark:
            f"{BENCHMARKS}/render/{figure}.tsv"
        conda:
            ENVIRONMENT
        params:
            id=figure,
            parameters=json.dumps(figures.given_parameters(plan, figure)),
            provenance=figures.provenance(plan, figure),
            figures=lambda wildcards, output: str(Path(output.files[0]).parent),
        message:
            f"Rendering {figure}"
        shell:
            "python -m muon_imbalance.stages.render --id {params.id} --notebook {input.notebook}"
            " --parameters {params.parameters:q} --provenance {params.provenance:q} --figures-dir {params.figures}"
            " --executed {output.executed} --log-notebook {log.notebook} 2>&1 | tee {log.text}"

    rule:
        name:
            figure
        input:
            files.figure_files(plan, figure),


rule figures:
    input:
        files.of_kind(plan, "fig"),


rule tables:
    input:
        files.of_kind(plan, "tab"),
