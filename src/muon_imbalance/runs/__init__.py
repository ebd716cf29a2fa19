"""Tidy tables of runs: their form on disk, and as frames."""
