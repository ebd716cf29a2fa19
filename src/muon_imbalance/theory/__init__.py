"""Closed forms, flows and bounds of the linear models, in NumPy."""
