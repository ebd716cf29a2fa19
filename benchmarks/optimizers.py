"""Our optimizers beside the public ones: agreement, speed, memory, traps. Writes docs/optimizers.md.

make bench                              which runs: python -m benchmarks.optimizers
--references FOLDER                     checkouts of KellerJordan/Muon and facebookresearch/optimizers, or their
                                        parent; also the variable OPTIMIZER_REFERENCES
--output FILE                           another page than docs/optimizers.md
"""

import argparse
from importlib.metadata import version
from pathlib import Path

from benchmarks import about, agreement, gates, matrix_units, measure, page, references, shapes
from muon_imbalance.common.errors import UserError, run_stage

PAGE = Path(__file__).resolve().parents[1] / "docs" / "optimizers.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--references", metavar="FOLDER", help="checkouts of further public implementations")
    parser.add_argument("--threads", metavar="N", type=int, default=about.cpus(), help="the most threads timed with")
    parser.add_argument("--output", metavar="FILE", type=Path, default=PAGE, help="the page to write")
    options = parser.parse_args()
    if not 1 <= options.threads <= about.cpus():
        raise UserError(f"--threads = {options.threads}, allowed: 1 to {about.cpus()}, the CPUs for this process")
    folder = references.folder(options.references)
    say = about.Progress("bench")
    units = tuple(shapes.SETS) if matrix_units.leave_out() else ()
    plan = measure.Plan(threads=tuple(sorted({1, options.threads})), matrix_units=units)
    results = measure.run(plan, folder, say, workers=about.cpus())
    words = about.words() | {"library": version("pytorch-optimizer")}
    options.output.write_text(page.page(results, words), encoding="utf-8")
    say(f"done: {options.output}")
    for repository in results.missing:
        say(f"not available, so not compared: {repository} (--references FOLDER)")
    for line in agreement.unexplained(results.outcomes):
        say(f"unexplained: {line}")
    for gate in gates.gates(results):
        if not gate.passed:
            say(f"bound not kept: {gate.what} ({gate.where}): {gate.value:.3g}, bound {gate.bound:g}")


if __name__ == "__main__":
    run_stage(main)
