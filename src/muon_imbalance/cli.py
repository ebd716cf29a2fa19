"""``muon-imbalance``: what there is and what came out, for people (``make paper`` runs the pipeline)."""

import argparse
import json
import os
import shutil
import sys
import textwrap
from pathlib import Path

from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.plan import messages
from muon_imbalance.plan.families import SCALES, load


def repository() -> Path:
    """The project's folder: the nearest one with ``config.yaml`` and ``workflow/``, from here upwards.

    Raises:
        UserError: neither here, above, nor around this source file.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "config.yaml").is_file() and (folder / "workflow").is_dir():
            return folder
    raise UserError(f"{here} is not inside the project: no folder from here upwards holds config.yaml and workflow/")


def table(rows: list[list[str]]) -> str:
    """Rows as left-aligned columns; the last column is wrapped to the width of the terminal."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    indent = sum(widths) + 2 * len(widths)
    room = max(30, shutil.get_terminal_size((110, 24)).columns - indent)
    lines = []
    for row in rows:
        start = "".join(cell.ljust(width + 2) for cell, width in zip(row[:-1], widths, strict=True))
        wrapped = textwrap.wrap(row[-1], room, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append(start + f"\n{' ' * indent}".join(wrapped))
    return "\n".join(line.rstrip() for line in lines)


def number(value: float | None) -> str:
    """A number in three digits, or ``-``."""
    return "-" if value is None else f"{value:.3g}"


def show_optimizers(_: argparse.Namespace) -> None:
    from muon_imbalance import optimizers

    print("\n".join(optimizers.names()))


def show_figures(_: argparse.Namespace) -> None:
    figures = load(repository()).config.get("figures")
    if not figures:
        raise UserError("experiments/ holds no figures (key `figures` of its files)")
    print(table([[name, entry.get("title", "")] for name, entry in figures.items()]))


def show_claims(options: argparse.Namespace) -> None:
    path = repository() / "results" / options.scale / "claims.json"
    if not path.is_file():
        raise UserError(f"{path} does not exist yet: run `make paper SCALE={options.scale}` first")
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not valid JSON ({error}): delete it and run `make paper` again") from error
    rows = [["claim", "figure", "verdict", "n", "estimate", "interval", "data", "statement"]]
    for record in records:
        bounds = [record.get("ci_low"), record.get("ci_high")]
        interval = "-" if None in bounds else "[{}, {}]".format(*map(number, bounds))
        texts = [str(record.get(key) or "-") for key in ("id", "figure", "verdict", "data_kind")]
        counts = ["-" if record.get("n") is None else str(record["n"]), number(record.get("estimate")), interval]
        rows.append([*texts[:3], *counts, texts[3], record.get("statement") or ""])
    print(table(rows))
    print(f"\nscale {options.scale}: {messages.counted(records)}")


def show_paths(options: argparse.Namespace) -> None:
    from muon_imbalance.data.sources.fetch import default_cache

    root = repository()
    figures = load(root, {"scale": options.scale}).config.get("figures_dir", "figures")
    results = root / "results" / options.scale
    paths = {
        "report": results / "report" / "index.html",
        "figures": root / figures,
        "claims": results / "claims.json",
        "runs": results / "runs",
        "logs": root / "logs" / options.scale,
        "cache": default_cache(),
    }
    print(table([[name, "" if path.exists() else "(not yet)", str(path)] for name, path in paths.items()]))


def show_differences(options: argparse.Namespace) -> None:
    from muon_imbalance.analysis.claims import compare

    text, same = compare.report(*(compare.read(path) for path in (options.first, options.second)))
    print(text)
    if not same:
        raise SystemExit(1)


def show_job(options: argparse.Namespace) -> None:
    from muon_imbalance.plan import describe
    from muon_imbalance.plan.planning import Plan

    root = repository()
    path = Path(os.path.abspath(options.file))
    path = path.relative_to(root) if path.is_relative_to(root) else Path(options.file)
    target = describe.Target.of(path.as_posix())
    plan = Plan.read(root, {"scale": target.named.get("scale", options.scale)})
    target.check(plan)
    print(f"{target.path}: stage {target.stage}, scale {plan.scale}\n")
    print(table([["setting", "value", "origin", "where it is written"], *describe.shown(plan, target)]))
    print(f"\nBy hand, when its inputs are there:\n{describe.by_hand(plan, target)}")
    print(f"\nWith its inputs:\n.venv/bin/snakemake --cores all --force {target.path}{plan.scale_option()}")


def add_seeds(options: argparse.Namespace) -> None:
    from muon_imbalance.plan import more_seeds
    from muon_imbalance.plan.planning import Plan

    plan = Plan.read(repository(), {"scale": options.scale})
    print(f"{more_seeds.write(plan, options.claim, options.seeds)}: {options.seeds} repetitions for {options.claim}")


def keep_run(options: argparse.Namespace) -> None:
    from muon_imbalance.plan import archive
    from muon_imbalance.plan.planning import Plan

    plan = Plan.read(repository(), {"scale": options.scale})
    print(archive.keep(plan, plan.root / "reference"))


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="muon-imbalance", description=__doc__.partition(": ")[2])
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, run, text in (
        ("optimizers", show_optimizers, "names of the optimizers"),
        ("figures", show_figures, "figures and tables of experiments/"),
        ("claims", show_claims, "verdicts on the paper's claims"),
        (
            "compare",
            show_differences,
            "what differs between two runs (status 1 if a decided verdict turned around)",
        ),
        ("where", show_paths, "where report, figures and downloads lie"),
        ("more", add_seeds, "ask for more repetitions for a claim (`make more` then trains them)"),
        ("keep", keep_run, "store a finished run, compact, in reference/ (what `make paper FROM=reference` shows)"),
        ("job", show_job, "what the job behind a file is given, and from where"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if run is show_differences:
            for name in ("first", "second"):
                command.add_argument(name, type=Path, help="a claims.json, or the results folder that holds it")
        if run is show_job:
            example = "results/laptop/runs/cifar10_r20/muon.0.parquet, figures/fig_01_....pdf ..."
            command.add_argument("file", help=example)
        if run is add_seeds:
            command.add_argument("claim", help="id of a claim, such as C3.1.cifar10_r5")
            command.add_argument("seeds", type=int, help="one of the looks that its experiments plan")
        if run in (show_claims, show_paths, show_job, add_seeds, keep_run):
            usual = "reference" if run is keep_run else "laptop"
            command.add_argument("--scale", choices=SCALES, default=usual, help=f"default: {usual}")
    return main


def main(arguments: list[str] | None = None) -> None:
    """Entry point; a mistake of the user is one sentence on stderr and exit status 2."""
    options = parser().parse_args(arguments)
    try:
        run_stage(lambda: options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:  # `muon-imbalance claims | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
