"""Training of stacked models: tasks, engine, checkpoints."""
