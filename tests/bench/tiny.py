"""A measurement small enough for a test."""

from functools import cache

from benchmarks import measure, shapes

SETS = {name: [(6, 2, 3, 3), (6, 2, 1, 1), (5, 8), (9, 4), (5, 8), (5, 8)] for name in shapes.SETS}
SETS |= {"64 scalars": shapes.SCALARS[:3]}
PLAN = measure.Plan(
    sets=SETS,
    muon=("MLP", "ResNet-18 w16"),
    cheap=("MLP",),
    shampoo=("MLP",),
    memory={},
    threads=(1,),
    seconds=0.01,
    polar=((20, 200),),
    conditions=((6, 9),),
    last=10,
)


@cache
def results() -> measure.Results:
    """The whole plan, measured once for all tests: all rows that need no reference, on the tiny sets."""
    return measure.run(PLAN, None, progress.append, workers=0)


progress: list[str] = []
