"""Stacked models: every parameter tensor has a leading model axis ``S``, and gradients are written out."""
