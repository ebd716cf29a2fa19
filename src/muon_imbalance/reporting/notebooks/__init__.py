"""Notebooks as files, run strictly and cleaned before they are published."""
