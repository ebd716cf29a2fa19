"""docs/sweeps.md from a measurement, and whether the bounds are kept."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.sweep_models import Plan
from benchmarks.sweep_stacks import spread
from benchmarks.sweep_ways import Cost, ratio

Rounds = list[tuple[Cost, Cost]]
LOOP_BOUNDS = {"one hidden layer": 2.5, "four layers": 1.8}
PROCESS_BOUND, STACK_BOUND = 4.0, 0.85

HEAD = """# A sweep in stacks beside a plain loop

Written by `make bench-sweeps`, not by hand. Measured on {date}: {processor}, {cores} cores, torch {torch}, float32 on
the CPU; load average at the start {load}.

A sweep job trains its grid in stacks of {stack} models, here in {workers} workers of one thread. Beside it the same
runs as anybody would write them with `torch.optim` (rendered pixels, full batch, one after another, one thread), and
as one process of the training stage per run. The task is Colored-MNIST, 14 x 14, n = {samples:,} where nothing
else is said; the pixels are noise, on which times do not depend. All ways give the same numbers (tests compare them);
`muon` in the loop is `torch.optim.Muon`, which iterates in bfloat16, with Adam for the vectors.

Times are per model and update; ways alternate within a run, and a ratio is the median over the rounds. *Clock* is
what one waits, and what the bounds are about. *Processor* is the processes' time divided by the number of workers:
what the clock would show if nothing else ran, and the workers did not slow each other.
"""


@dataclass
class Results:
    """Rounds by (model, rule), by model, and by experiment; ``skipped``: experiments whose model is no chain."""

    loops: dict[tuple[str, str], Rounds] = field(default_factory=dict)
    processes: dict[str, Rounds] = field(default_factory=dict)
    stacks: dict[str, Rounds] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Gate:
    """A bound on a ratio."""

    what: str
    value: float
    bound: float

    @property
    def passed(self) -> bool:
        return self.value >= self.bound


def gates(results: Results) -> Iterator[Gate]:
    """The bounds, on the clock; those of a stack on the processor's time, since it is one thread."""
    for (model, rule), rounds in results.loops.items():
        yield Gate(f"sweep against the loop, {model}, {rule}", ratio(rounds, "wall"), LOOP_BOUNDS[model])
    for model, rounds in results.processes.items():
        yield Gate(f"sweep against one process per run, {model}", ratio(rounds, "wall"), PROCESS_BOUND)
    for name, rounds in results.stacks.items():
        yield Gate(f"stack of {name} against the loop", ratio(rounds, "cpu"), STACK_BOUND)


def page(results: Results, plan: Plan, words: dict[str, str]) -> str:
    """The whole page; `words`: date, processor, cores, torch, load."""
    lines = [HEAD.format(**words, stack=plan.stack, workers=plan.workers, samples=plan.samples)]
    lines += [
        "## Against the loop",
        "",
        f"{plan.lrs * plan.seeds} models in the sweep, {plan.loop_models} in the loop, {plan.steps} updates each, "
        f"{plan.rounds} rounds; starts are not counted.",
        "",
        *_table("optimizer", {f"{model}, {rule}": rounds for (model, rule), rounds in results.loops.items()}, "loop"),
        "",
        "## Against one process per run",
        "",
        f"`python -m muon_imbalance.stages.train` with {plan.run_steps} updates, starts counted, "
        f"{plan.workers} processes at a time in both ways; adam. "
        "What a sweep saves is the start of each run; the longer a run, the less that is.",
        "",
        *_table(
            "model", {_sizes(plan, model): rounds for model, rounds in results.processes.items()}, "one process per run"
        ),
        "",
        "## The stacks of the configuration",
        "",
        "One thread, processor time, adam; quartiles in brackets. Each as configured in `experiments/`, on noise.",
        "",
        "| experiment | loop (ms) | stack (ms) | throughput of the stack |",
        "| --- | --- | --- | --- |",
    ]
    for name, rounds in results.stacks.items():
        low, middle, high = spread(rounds)
        lines.append(
            f"| {name} | {_ms(rounds, 0, 'cpu')} | {_ms(rounds, 1, 'cpu')} | {middle:.2f} ({low:.2f}-{high:.2f}) |"
        )
    if results.skipped:
        lines += ["", f"Not measured, since their models are no chains of layers: {', '.join(results.skipped)}."]
    lines += ["", "## Bounds", "", "| ratio of throughputs | measured | bound | kept |", "| --- | --- | --- | --- |"]
    lines += [f"| {g.what} | {g.value:.2f} | {g.bound:g} | {'yes' if g.passed else 'no'} |" for g in gates(results)]
    return "\n".join(lines) + "\n"


def _sizes(plan: Plan, model: str) -> str:
    return f"{model}, n = {plan.run_samples[model]:,}, {plan.run_lrs[model] * plan.seeds} models in the sweep"


def _table(first: str, rows: dict[str, Rounds], other: str) -> list[str]:
    head = f"| {first} | {other} (ms, clock) | sweep (ms, clock) | ratio, clock | ratio, processor |"
    lines = [head, "| --- | --- | --- | --- | --- |"]
    for name, rounds in rows.items():
        cells = (_ms(rounds, 0, "wall"), _ms(rounds, 1, "wall"), _times(rounds, "wall"), _times(rounds, "cpu"))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _times(rounds: Rounds, clock: str) -> str:
    return f"{ratio(rounds, clock):.2f}"


def _ms(rounds: Rounds, which: int, clock: str) -> str:
    return f"{1e3 * statistics.median(getattr(both[which], clock) for both in rounds):.2f}"
