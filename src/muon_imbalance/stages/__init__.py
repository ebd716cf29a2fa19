"""One entry a rule of the workflow, each named as its rule; a stage reads a job, calls a room, writes files."""
