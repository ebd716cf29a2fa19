# The whole paper: `snakemake --cores all` (or `make paper`, which sets up the environment first).
include: "workflow/Snakefile"


rule all:
    default_target: True
    input:
        rules.report.input,
        rules.figures.input,
        rules.tables.input,
