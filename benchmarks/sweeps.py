"""A sweep in stacks beside a `torch.optim` loop and beside one process per run. Writes docs/sweeps.md.

make bench-sweeps                       which runs: python -m benchmarks.sweeps
--output FILE                           another page than docs/sweeps.md
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.about import Progress, words
from benchmarks.sweep_models import Plan, dataset
from benchmarks.sweep_page import Results, gates, page
from benchmarks.sweep_stacks import ROOT, configured, measure
from benchmarks.sweep_ways import Workers, against_loop, against_processes
from muon_imbalance.common.errors import run_stage

PAGE = ROOT / "docs" / "sweeps.md"


def run(plan: Plan, say: Callable[[str], None], config: dict | None = None) -> Results:
    """The whole measurement."""
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        data = dataset(Path(folder) / "loops", plan.samples, plan.seeds)
        say(f"starting {plan.workers} workers")
        with Workers(plan.workers) as workers:
            for model in plan.models:
                for rule in plan.rules:
                    say(f"{model}, {rule}: {plan.rounds} rounds of the loop and the sweep")
                    results.loops[model, rule] = against_loop(plan, data, model, rule, workers)
        for model in plan.models:
            say(f"{model}: {plan.run_rounds} rounds of one process per run and the sweep")
            data = dataset(Path(folder) / f"runs of {model}", plan.run_samples[model], plan.seeds)
            results.processes[model] = against_processes(plan, data, model, plan.rules[0])
    for stacked in configured(config):
        say(f"stack of {stacked.name}")
        rounds = measure(stacked, plan.stack_rounds)
        if rounds is None:
            results.skipped.append(stacked.name)
        else:
            results.stacks[stacked.name] = rounds
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", metavar="FILE", type=Path, default=PAGE, help="the page to write")
    options = parser.parse_args()
    say, about, plan = Progress("bench-sweeps"), words(), Plan()
    results = run(plan, say)
    options.output.write_text(page(results, plan, about), encoding="utf-8")
    say(f"done: {options.output}")
    for gate in gates(results):
        say(f"{'kept' if gate.passed else 'NOT KEPT'}: {gate.what}: {gate.value:.2f}, bound {gate.bound:g}")


if __name__ == "__main__":
    run_stage(main)
