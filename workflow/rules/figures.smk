# Figures and tables: one notebook each, run by papermill through our strict runner.
for figure in config["figures"]:

    rule:
        name:
            f"render_{figure}"
        input:
            notebook=notebook_file(figure),
            runs=figure_runs(figure),
            theory=figure_theory(figure),
            manifests=figure_manifests(figure),
            src=figure_sources(figure),
        output:
            files=figure_files(figure),
            executed=executed_notebook(figure),
        log:
            text=f"{LOGS}/render/{figure}.log",
            notebook=f"{LOGS}/render/{figure}.ipynb",
        benchmark:
            f"{BENCHMARKS}/render/{figure}.tsv"
        conda:
            ENVIRONMENT
        params:
            id=figure,
            parameters=figure_parameters(figure),
            provenance=figure_provenance(figure),
            figures=figures_folder,
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
            figure_files(figure),


rule figures:
    input:
        [figure_files(figure) for figure in config["figures"] if figure.startswith("fig_")],


rule tables:
    input:
        [figure_files(figure) for figure in config["figures"] if figure.startswith("tab_")],
