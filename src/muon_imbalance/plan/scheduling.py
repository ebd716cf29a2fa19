"""Snakemake's own scheduling, changed where that is safe."""

from typing import Any


def drop_default_limit(workflow: Any) -> None:
    """Take away the limit of 100 jobs a second, if it is the default one.

    With a limit, every finished job starts a timer that wakes the scheduler once a second and never ends (Snakemake 9;
    snakemake/snakemake, pull request 3744): at the end of a laptop run a fifth of two cores went there. Does nothing
    where the user chose a limit, or where Snakemake has none.
    """
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
