"""The training loop, its checkpoints, and what tasks share."""
