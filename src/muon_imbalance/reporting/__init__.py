"""From tidy tables to figures and the report: plot style, notebook runner, provenance, HTML pages."""
