"""One complete measurement: what is measured, in which order, with a line of progress for each part."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import (
    about,
    accuracy,
    agreement,
    matrix_units,
    memory,
    parallel,
    references,
    rows,
    shapes,
    speed,
    traps,
)
from benchmarks.contestants import fetched, ours, public
from benchmarks.timing import Times, threads

TimesOf = dict[str, dict[str, Times]]
"""Set of shapes -> optimizer -> times."""


@dataclass(frozen=True)
class Plan:
    """What is measured: sets of shapes, seconds for each timing, sizes of the polar factor and of conditions.

    `matrix_units`: the sets on which Muon is timed a second time, with the units that all else is measured without.
    """

    sets: dict[str, list[shapes.Shape]] = field(default_factory=rows.sets)
    muon: tuple[str, ...] = tuple(shapes.SETS)
    matrix_units: tuple[str, ...] = ()
    cheap: tuple[str, ...] = tuple(shapes.SETS)
    shampoo: tuple[str, ...] = ("MLP", "ResNet-18 w16", "transformer d128")
    memory: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"transformer d256": (*speed.MUONS, *speed.CHEAP[:4]), "MLP": speed.SHAMPOOS}
    )
    threads: tuple[int, ...] = field(default_factory=lambda: tuple(sorted({1, about.cpus()})))
    seconds: float = 4.0
    polar: tuple[tuple[int, int], ...] = ((20, 200), (128, 128), (128, 1152), (512, 2352))
    conditions: tuple[tuple[int, int], ...] = accuracy.SHAPES
    last: int = 100


@dataclass
class Results:
    """Everything measured; times are by number of threads."""

    sets: dict[str, list[shapes.Shape]] = field(default_factory=dict)
    outcomes: list[agreement.Outcome] = field(default_factory=list)
    muon: dict[int, TimesOf] = field(default_factory=dict)
    matrix_units: TimesOf = field(default_factory=dict)
    cheap: dict[int, TimesOf] = field(default_factory=dict)
    shampoo: TimesOf = field(default_factory=dict)
    polar: dict[tuple[int, int], dict[str, Times]] = field(default_factory=dict)
    errors: dict[tuple[tuple[int, int], str, float], dict[str, float]] = field(default_factory=dict)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    muon_traps: traps.Found = field(default_factory=dict)
    shampoo_traps: traps.Found = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)


def run(plan: Plan, folder: Path | None, say: Callable[[str], None], workers: int) -> Results:
    """Measure the whole plan with that many processes where nothing is timed; `say` gets a line for each part."""
    modules, results = references.find(folder), Results(plan.sets)
    results.missing = [references.KNOWN[name][1] for name, module in modules.items() if module is None]
    contestants = ours() | public() | fetched(modules)
    results.outcomes = parallel.outcomes(set(contestants), plan.sets, plan.last, folder, workers, say)
    if speed.slow_half():
        results.untimed = [speed.FLOAT16]
        del contestants[speed.FLOAT16]
    _times(plan, contestants, results, say)
    for chosen in plan.matrix_units:
        say(f"step time with matrix units, 1 thread, {chosen}")
        results.matrix_units[chosen] = matrix_units.times(chosen, plan.seconds, folder and str(folder))
    say("memory")
    for chosen, names in plan.memory.items():
        there = [name for name in names if name in contestants]
        results.memory[chosen] = memory.measure(there, chosen, folder and str(folder), workers)
    say("traps")
    results.muon_traps, results.shampoo_traps = traps.all_muons(modules), traps.all_shampoos(modules)
    return results


def _times(plan: Plan, contestants, results: Results, say) -> None:
    for count in plan.threads:
        with threads(count):
            for kind, names, sets in (("muon", speed.MUONS, plan.muon), ("cheap", speed.CHEAP, plan.cheap)):
                found = getattr(results, kind)[count] = {}
                for chosen in sets:
                    say(f"step time, {count} thread{'s' * (count > 1)}, {chosen}: {names[0]} and {len(names) - 1} more")
                    seconds = plan.seconds if kind == "muon" else plan.seconds / 6
                    found[chosen] = speed.steps(contestants, names, plan.sets[chosen], seconds)
    with threads(1):
        for chosen in plan.shampoo:
            say(f"step time, 1 thread, {chosen}: Shampoo")
            results.shampoo[chosen] = speed.shampoos(contestants, plan.sets[chosen], plan.seconds)
        for shape in plan.polar:
            say(f"polar factor {shape[0]} x {shape[1]}")
            results.polar[shape] = speed.polar_factors(*shape, plan.seconds / 6)
        for shape in plan.conditions:
            for case in itertools.product(accuracy.SPECTRA, accuracy.CONDITIONS):
                results.errors[shape, *case] = accuracy.errors(shape, *case)
