"""Stacked models: every parameter tensor has a leading model axis ``S``."""
