# Snakemake's own scheduling, put right where that is safe.


def drop_default_limit():
    """Take away the limit of 100 jobs a second, if it is the default one.

    With a limit, every finished job starts a timer that wakes the scheduler once a second and never ends (Snakemake 9;
    snakemake/snakemake, pull request 3744): at the end of a laptop run a fifth of two cores went there. Does nothing where
    a limit was asked for, or where Snakemake has none.
    """
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
