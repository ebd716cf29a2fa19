"""Curves over seeds, ready to plot: what notebooks show. Nothing here is judged."""
