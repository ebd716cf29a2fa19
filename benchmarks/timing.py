"""Times of several pieces of work in one run: interleaved, so that what else the machine does hits all alike.

Each round runs every piece once, in an order that rotates; a ratio is the median of the ratios within a round.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

Work = Callable[[], None]


@dataclass(frozen=True)
class Times:
    """Seconds of one piece of work, one entry for each round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


@dataclass(frozen=True)
class Ratio:
    """Median, lower and upper quartile of the ratios within the rounds."""

    median: float
    low: float
    high: float


def ratio(one: Times, other: Times) -> Ratio:
    """How many times longer `one` takes than `other`."""
    ratios = [a / b for a, b in zip(one.rounds, other.rounds, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Ratio(statistics.median(ratios), low, high)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside, torch uses this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def interleaved(
    works: dict[str, Work], seconds: float, at_least: int = 3, at_most: int = 25, shortest: float = 0.01
) -> dict[str, Times]:
    """Time of one call of each piece; about `seconds` in all, short pieces repeated to `shortest` a sample.

    The clock is the CPU time of this thread where torch has one thread, since other processes do not count in
    it, and wall time otherwise.
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    repeats, one_round = {}, 0.0
    for name, work in works.items():
        spent = _time(work, 1, clock)  # with what is done only once: state, memory, code paths, imports
        if spent < seconds / 3:
            spent = _time(work, 1, clock)
        repeats[name] = max(1, round(shortest / max(spent, 1e-7)))
        one_round += spent * repeats[name]
    fewest = at_least if one_round < 2 * seconds else min(2, at_least)
    rounds = min(at_most, max(fewest, int(seconds / one_round)))
    samples: dict[str, list[float]] = {name: [] for name in works}
    names = list(works)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(_time(works[name], repeats[name], clock) / repeats[name])
    return {name: Times(tuple(values)) for name, values in samples.items()}


def _time(work: Work, repeats: int, clock: Callable[[], float]) -> float:
    begin = clock()
    for _ in range(repeats):
        work()
    return clock() - begin
