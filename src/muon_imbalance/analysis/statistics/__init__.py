"""Numbers from curves and tables, by name, for claim files. Knows nothing of claims or verdicts."""
