"""Runs of two optimizers with given numbers, and claims about them, for tests of the verdict engine itself."""

import numpy as np

from muon_imbalance.analysis.claims import judging
from muon_imbalance.analysis.claims.claim import Claim
from muon_imbalance.analysis.claims.samples import Sample
from muon_imbalance.analysis.statistics.evidence import Experiment, Recorded, Run

LAST = {"statistic": "last", "of": "accuracy of minority on test"}
EVERY = {"statistic": "every_value", "of": "accuracy of minority on test", "window": "all"}
CURVE = Recorded("accuracy", "test", "minority")


def claim(needed="a minus b > 0", measure=LAST, **other) -> Claim:
    """A claim with one check (or several: a list of comparisons)."""
    needed = needed if isinstance(needed, list) else [needed]
    given = {
        "id": "C1.1",
        "experiment": "x",
        "figure": "fig_01",
        "statement": "A statement that is made up.",
        "paper_ref": "none",
        "scales": ["laptop"],
        "min_seeds": 2,
        "tolerance_reason": "None is needed here.",
        "checks": [{"label": "a number", "measure": measure, "needed": one} for one in needed],
    }
    return Claim.model_validate(given | other)


def several(count: int, **other) -> Claim:
    """A claim with this many comparisons of one optimizer with others."""
    return claim(f"a minus {', '.join(f'b{i}' for i in range(count))} > 0", **other)


def experiment(name="x", looks=(), curve=CURVE, diverged=(), more=None, **values) -> Experiment:
    """Runs with these curves: by optimizer, ``[n]`` last values or ``[n, T]`` values, seeds 0, 1, ... or a map."""
    found = Experiment(name, settings={"looks": list(looks), "dataset": f"data of {name}"})
    for optimizer, rows in values.items():
        by_seed = rows if isinstance(rows, dict) else dict(enumerate(rows))
        runs = {}
        for seed, own in by_seed.items():
            own = np.atleast_1d(np.asarray(own, dtype=float))
            steps = 10 * np.arange(1, len(own) + 1)
            curves = {curve: own} | {key: np.asarray(each[optimizer][seed]) for key, each in (more or {}).items()}
            runs[seed] = Run(found, optimizer, seed, 0.1, {key: (steps, each) for key, each in curves.items()})
        found.cache[optimizer] = runs, list(diverged)
    return found


def judged(stated: Claim, *experiments: Experiment) -> dict:
    """The record."""
    return judging.judge(stated, {one.name: one for one in experiments}, "laptop")


def verdicts(stated: Claim, values: np.ndarray) -> str:
    """Verdict of a claim whose comparisons measured ``values [comparisons, n]``."""
    found = []
    for row in values:
        spread = judging.spread(stated, stated.checks[0], row, 0.05, len(values))
        found.append(judging.decided(stated, stated.checks[0], Sample(row), spread)[0])
    return min(found, key=judging.SEVERITY.index)


def share(stated: Claim, verdict: str, mean: float, sd: float, comparisons: int, n=6) -> float:
    """How often simulated repetitions give this verdict; comparisons are independent."""
    draws = max(400, 1200 // comparisons)
    draw = np.random.default_rng([comparisons, n]).normal(mean, sd, (draws, comparisons, n))
    return float(np.mean([verdicts(stated, one) == verdict for one in draw]))
