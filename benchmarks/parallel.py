"""The agreement rows in several processes of one thread each, which a busy machine slows least."""

import multiprocessing
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from benchmarks import agreement, references, rows, shapes
from benchmarks.contestants import fetched, ours, public
from benchmarks.timing import threads

Sets = dict[str, list[shapes.Shape]]
Task = tuple[str, list[int]]
"""A set of shapes and the numbers of rows that share our runs there."""


def outcomes(
    available: set[str], sets: Sets, last: int, folder: Path | None, workers: int, say: Callable[[str], None]
) -> list[agreement.Outcome]:
    """The outcome of every row whose optimizers are available; workers = 0: in this process."""
    table = rows.rows(available)
    tasks = list(_tasks(table))
    found: list[dict[str, dict[int, float]]] = [{} for _ in table]
    say(f"agreement: {len(table)} rows in {len(tasks)} parts, the largest first")
    for done, (chosen, results) in enumerate(_results(tasks, available, sets, last, folder, workers), start=1):
        for i, differences in results.items():
            found[i][chosen] = differences
        say(f"agreement: part {done} of {len(tasks)}, {chosen}, {len(results)} rows")
    ordered = ({chosen: by_set[chosen] for chosen in row.sets} for row, by_set in zip(table, found, strict=True))
    return [agreement.Outcome(row, differences) for row, differences in zip(table, ordered, strict=True)]


def _tasks(table: list[agreement.Row]) -> Iterator[Task]:
    """Rows by set, precision and form, for each of which our runs are computed once; the largest sets first."""

    def key(part: tuple[str, int]) -> tuple:
        chosen, i = part
        return (
            -shapes.newton_schulz_flops(rows.sets()[chosen]),
            chosen,
            table[i].double,
            table[i].kernels,
            table[i].last,
        )

    parts = sorted(((chosen, i) for i, row in enumerate(table) for chosen in row.sets), key=key)
    for (_, chosen, *_), group in groupby(parts, key):
        yield chosen, [i for _, i in group]


def _results(tasks: list[Task], available, sets, last, folder, workers) -> Iterator[tuple[str, dict]]:
    if workers == 0:
        for task in tasks:
            yield _work((task, available, sets, last, folder))
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_work, [(task, available, sets, last, folder) for task in tasks])


def _work(given) -> tuple[str, dict[int, dict[int, float]]]:
    """Differences of the rows of one task, by number of the row."""
    (chosen, numbers), available, sets, last, folder = given
    contestants = ours() | public() | fetched(references.find(folder))
    table, runs = rows.rows(available), agreement.Runs(contestants, sets, last)
    with threads(1):
        return chosen, {i: runs.differences(table[i], chosen) for i in numbers}
