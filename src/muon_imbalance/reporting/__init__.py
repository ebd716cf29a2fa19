"""From tables and verdicts to figures, executed notebooks and the report."""
