"""Norms, their steepest-descent maps, and polar factors with their Newton-Schulz iterations."""
