"""The bounds that the optimizers are held to, fixed beforehand, each judged on what was measured."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks import agreement, speed
from benchmarks.measure import Results, TimesOf
from benchmarks.timing import Times, ratio

EXACT_SHAPE = (20, 200)


@dataclass(frozen=True)
class Gate:
    """One bound: what, where it was measured, the worst measured value, the bound, and whether more is better."""

    what: str
    where: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def passed(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def gates(results: Results) -> list[Gate]:
    """All gates that the measurement can judge: one thread and all, every set of shapes."""
    found = []
    for count in results.muon:
        found += [*_muon(results.muon[count], _on(count)), _gemm(results, count), *_family(results, count)]
    if results.matrix_units:
        found += _muon(results.matrix_units, "1 thread, matrix units")
    return [*found, *_direction(results), *_exact(results), *_shampoo(results), _agreement(results)]


def _on(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _muon(times_of: TimesOf, where: str) -> Iterable[Gate]:
    sets = times_of.values()
    for name in ("torch.optim.Muon", "Keller Jordan's Muon"):
        values = [ratio(times["Muon"], times[name]).median for times in sets if name in times]
        if values:
            yield Gate(f"step time of our Muon / {name}, worst set", where, max(values), 0.5)
    others = [fastest(times, [name for name in speed.MUONS[1:] if name in times]) for times in sets]
    values = [ratio(times["Muon"], best).median for times, best in zip(sets, others, strict=True)]
    yield Gate("step time of our Muon / fastest public Muon, worst set", where, max(values), 0.9)


def _gemm(results: Results, count: int) -> Gate:
    value = max(ratio(times["Muon"], limit).median for times, limit in limits(results, count))
    return Gate("step time of our Muon / GEMM limit of the standard iteration, worst set", _on(count), value, 1.1)


def limits(results: Results, count: int) -> list[tuple[dict[str, Times], Times]]:
    """Times of each set with the GEMM limit there."""
    return [(times, speed.limit(results.sets[chosen], times)) for chosen, times in results.muon[count].items()]


def fastest(times: dict[str, Times], names: list[str]) -> Times:
    """The one of smallest median."""
    return times[min(names, key=lambda name: times[name].median)]


def _family(results: Results, count: int) -> Iterable[Gate]:
    for name in ("NMD", "Signum"):
        values = [ratio(t[name], t["torch.optim.SGD, foreach"]).median for t in results.cheap[count].values()]
        yield Gate(f"step time of {name} / torch.optim.SGD foreach, worst set", _on(count), max(values), 1.6)


def _direction(results: Results) -> Iterable[Gate]:
    worst = max(errors["ours, float32"] for errors in results.errors.values())
    yield Gate("our Newton-Schulz from the float64 iteration, condition up to 1e7", "relative", worst, 1e-3)


def _exact(results: Results) -> Iterable[Gate]:
    times = results.polar[EXACT_SHAPE]
    value = ratio(times["SVD"], times["exact"]).median
    yield Gate("time of linalg.svd / our exact polar factor at 20 x 200", _on(1), value, 2.5, at_least=True)


def _shampoo(results: Results) -> Iterable[Gate]:
    for chosen, times in results.shampoo.items():
        names = [name for name in speed.SHAMPOOS[1:] if name in times and speed.same_blocks(name, results.sets[chosen])]
        value = ratio(times[speed.SHAMPOOS[0]], fastest(times, names)).median
        yield Gate(f"step time of our Shampoo / fastest public one, {chosen}", _on(1), value, 1.0)


def _agreement(results: Results) -> Gate:
    return Gate(
        "rows of the agreement table without explanation", "count", len(agreement.unexplained(results.outcomes)), 0
    )
