"""Figures that two notebooks draw, each from its own data."""
