"""docs/optimizers.md from a measurement."""

from collections.abc import Iterable

from benchmarks import agreement, gates, matrix_units, shapes, speed
from benchmarks.measure import Results, TimesOf
from benchmarks.timing import Ratio, Times, ratio

HEAD = """# The optimizers beside the public implementations

Written by `make bench`, not by hand. Measured on {date}: {processor}, {cores} cores, torch {torch}, float32 on the
CPU.
{missing}
**Ours** are the classes of `muon_imbalance.optimizers.torch_optim` ([how to use them](optimizers-elsewhere.md)). The
others are `torch.optim`, `pytorch-optimizer` {library}, [KellerJordan/Muon](https://github.com/KellerJordan/Muon) and
[facebookresearch/optimizers](https://github.com/facebookresearch/optimizers) (DistributedShampoo).

A ratio is the median over interleaved rounds in one process (quartiles in brackets); below 1 ours is faster. With one
thread the clock is the CPU time of the thread, in which waiting for other processes does not count; with several it is
wall time.
"""

UNITS = f"""
This processor has **matrix units for bfloat16** (AMX), with which such products are several times as fast as float32 on
its vector units. All else here is measured without them ({matrix_units.VARIABLE}={matrix_units.WITHOUT}), as on a
processor that has none. With them, one thread, the implementations that iterate in bfloat16 are far from the exact
iteration (see "Polar factors of one matrix"), but quicker on large matrices; ours stays in float32:

"""

TOOLS = """## Repeat it

```bash
make bench                                # some minutes on two idle cores; writes this page
make bench ARGS='--references FOLDER'     # with checkouts of the two repositories in FOLDER
```
"""


def page(results: Results, words: dict[str, str]) -> str:
    """The whole page; `words`: processor, cores, torch, library (version) and date."""
    missing = ""
    if results.missing:
        missing = f"\nNot available in this run, so without rows here: {', '.join(results.missing)}.\n"
    if results.untimed:
        missing += (
            f"\nNot timed, since this processor is slow in float16: {', '.join(results.untimed)} (as it comes).\n"
        )
    parts = [
        HEAD.format(missing=missing, **words),
        _gates(results),
        _agreement(results),
        _step_times(results),
        _family(results),
        _shampoo(results),
        _polar(results),
        _memory(results),
        _traps(results),
        TOOLS,
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    rows = [head, ["---"] * len(head), *map(list, lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _gates(results: Results) -> str:
    lines = [
        [
            g.what,
            g.where,
            _number(g.value),
            f"{'≥' if g.at_least else '≤'} {g.bound:g}",
            "yes" if g.passed else "**no**",
        ]
        for g in gates.gates(results)
    ]
    text = "## Bounds\n\nFixed before the measurement.\n\n"
    return text + table(["what", "where", "measured", "bound", "kept"], lines)


def _agreement(results: Results) -> str:
    text = """## Agreement

Same start, same gradients, equal settings: the largest ‖W − W′‖ / ‖W′ − W₀‖ over the parameters (W ours, W′ theirs)
of the sets of shapes named, after 1, 10 and 100 steps. A difference that is not mere rounding has a row that takes its
reason away (column "then"): the public code in float64 without its casts to half precision, or ours with its constants
or conventions. At most two matrices of each shape take part.
"""
    failed = agreement.unexplained(results.outcomes)
    text += (
        f"\nRows without explanation: {len(failed)}.\n"
        + "".join(f"\n- {line}" for line in failed)
        + "\n" * bool(failed)
    )
    keys = [outcome.row.key for outcome in results.outcomes]
    lines = []
    for i, outcome in enumerate(results.outcomes, start=1):
        row = outcome.row
        then = "" if row.explained is None else _row_number(keys, row.explained, i)
        limit = "another algorithm" if row.tolerance is None else f"{row.tolerance:g}"
        bits = "64" if row.double else "32"
        form = ", kernels" if row.kernels else ""
        steps = [_difference(outcome, step) for step in agreement.STEPS]
        sets = ", ".join(_short(chosen) for chosen in row.sets)
        lines.append([str(i), row.ours, f"{row.public} (float{bits}{form})", sets, *steps, limit, row.reason, then])
    head = ["row", "ours", "theirs", "shapes", "1", "10", "100", "tolerance", "reason", "then"]
    return text + "\n" + table(head, lines)


def _row_number(keys: list[tuple[str, str]], key: tuple[str, str], after: int) -> str:
    """The next row of this key, or else the last one before."""
    found = [i for i, other in enumerate(keys, start=1) if other == key]
    return f"row {next((i for i in found if i > after), found[-1])}" if found else "missing"


def _difference(outcome: agreement.Outcome, step: int) -> str:
    found = [steps[step] for steps in outcome.differences.values() if step in steps]
    return f"{max(found):.0e}" if found else ""


def _short(name: str) -> str:
    return name.replace("ResNet-18", "ResNet").replace("transformer ", "")


def _step_times(results: Results) -> str:
    text = (
        "## Muon, step time\n\nMilliseconds, and the ratio of our Muon to each. Five iterations, kernels as matrices.\n"
    )
    for count, found in results.muon.items():
        bounded = {
            c: t | {"*GEMM limit of the standard iteration*": speed.limit(results.sets[c], t)} for c, t in found.items()
        }
        text += f"\n{_threads(count)}:\n\n" + _times(bounded, "Muon", drop=speed.GEMM)
    if results.matrix_units:
        text += UNITS + _times(results.matrix_units, "Muon", drop=speed.GEMM)
    return text


def _family(results: Results) -> str:
    text = "## Optimizers without matrix products, step time\n\n"
    text += "Milliseconds, and the ratio to `torch.optim.SGD` foreach.\n"
    for count, found in results.cheap.items():
        text += f"\n{_threads(count)}:\n\n" + _times(
            found, "torch.optim.SGD, foreach", upside_down=True, drop=speed.GEMM
        )
    return text


def _shampoo(results: Results) -> str:
    text = """## Shampoo, ten steps with one refresh of the powers

Milliseconds for ten steps, one thread, and the ratio of ours to each; blocks of at most 1024 (pytorch-optimizer's plain
Shampoo never cuts, so it has other work where a side is larger).
"""
    return text + "\n" + _times(results.shampoo, speed.SHAMPOOS[0])


def _times(found: TimesOf, base: str, upside_down: bool = False, drop: str = "nothing") -> str:
    """Optimizers down, sets of shapes across."""
    names = list(dict.fromkeys(n for times in found.values() for n in times if not n.startswith(f"{drop} ")))
    lines = []
    for name in names:
        cells = []
        for times in found.values():
            pair = (times[name], times[base]) if upside_down else (times[base], times[name])
            cells.append(_cell(times[name], None if name == base else ratio(*pair)))
        lines.append([f"**{name}**" if name == base else name, *cells])
    return table(["optimizer", *map(shapes.title, found)], lines)


def _cell(times: Times, compared: Ratio | None) -> str:
    text = f"{_number(1e3 * times.median)}"
    return text if compared is None else f"{text} · {compared.median:.2f} ({compared.low:.2f}–{compared.high:.2f})"


def _polar(results: Results) -> str:
    lines = []
    for (rows, columns), times in results.polar.items():
        milliseconds = [_number(1e3 * times[name].median) for name in ("exact", "Newton-Schulz", "SVD")]
        lines.append([f"{rows} x {columns}", *milliseconds, _number(ratio(times["SVD"], times["exact"]).median)])
    text = "## Polar factors of one matrix\n\nMilliseconds, one thread.\n\n"
    text += table(["shape", "exact (Gram, float64)", "Newton–Schulz", "SVD", "SVD / exact"], lines)
    methods = list(next(iter(results.errors.values())))
    errors = [
        [f"{rows} x {columns}", spectrum, f"{condition:.0e}", *[f"{found[name]:.0e}" for name in methods]]
        for ((rows, columns), spectrum, condition), found in results.errors.items()
    ]
    text += """
Five iterations: relative Frobenius distance from the same iteration in float64. Singular values from 1 down to
1 / condition: evenly in the logarithm, or one of 1 and all others the smallest, where rounding of the Gram matrix
shows most.

"""
    return text + table(["shape", "singular values", "condition", *methods], errors)


def _memory(results: Results) -> str:
    text = """## Memory

Growth of the process over its first steps (state and temporary memory), in units of the weights; each optimizer in a
process of its own, one thread, after a step on a small matrix.
"""
    for chosen, found in results.memory.items():
        lines = [[name, f"{value:.1f}"] for name, value in found.items()]
        text += f"\n{shapes.title(chosen)}:\n\n" + table(["optimizer", "times the weights"], lines)
    return text


def _traps(results: Results) -> str:
    text = "## Traps\n\nProbed in this run; the tests hold ours to all of them.\n"
    for found in (results.muon_traps, results.shampoo_traps):
        traps = list(next(iter(found.values())))
        lines = [[trap, *[_there(had.get(trap)) for had in found.values()]] for trap in traps]
        text += "\n" + table(["trap", *found], lines)
    return text


def _there(value: bool | None) -> str:
    return {True: "**yes**", False: "no", None: "no such option"}[value]


def _threads(count: int) -> str:
    return "One thread" if count == 1 else f"{count} threads"


def _number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}" if value < 1e-2 else f"{value:.2f}" if value < 10 else f"{value:.0f}"
