"""Tasks made from plain settings."""

from muon_imbalance.plan.job import Job
from muon_imbalance.training import registry


def made(task, settings, seeds, data=None, dtype="float64", chunk=64, **job):
    """A task from one map of settings for all models, or a list with one for each."""
    each = settings if isinstance(settings, list) else [settings] * len(seeds)
    given = {"cells": [{"lr": "0.1"}], "record": {"every": 1}} | ({} if "epochs" in job else {"steps": 1}) | job
    job = Job("test", "gd", "final", task, "gd", seeds=list(seeds), settings=each[0], dtype=dtype, chunk=chunk, **given)
    return registry.TASKS.load(task).TASK([registry.chosen(task, one, "test") for one in each], job, list(seeds), data)
