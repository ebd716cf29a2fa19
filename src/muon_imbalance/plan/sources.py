"""Source files that jobs run: Snakemake does not see imported modules, so rules list them as inputs.

A job's files are the closure of its stage and of the modules that the configuration names for it.
"""

from collections.abc import Iterable
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path

from muon_imbalance.common.closure import PACKAGE, closure
from muon_imbalance.common.discovery import Room, parse
from muon_imbalance.common.errors import UserError
from muon_imbalance.optimizers import registry
from muon_imbalance.optimizers.torch_bridge import user_code
from muon_imbalance.plan import rooms
from muon_imbalance.plan.planning import Plan
from muon_imbalance.reporting.notebooks import notebook_file as notebooks

CLASS = "optimizers.torch_bridge.torch_class"
"""What trains a user's torch class."""


@cache
def _closure(*modules: str) -> tuple[Path, ...]:
    """Files of the package that these modules run, by names below it."""
    return tuple(closure(*(name if name.startswith(PACKAGE) else f"{PACKAGE}.{name}" for name in modules)))


@cache
def _named(room: Room, name: str) -> tuple[Path, ...]:
    """Files that a module runs which the configuration names."""
    return tuple(room.files(name))


def relative(plan: Plan, paths: Iterable[Path]) -> list[str]:
    """Sorted paths as rules take them: below the project's folder, or absolute."""
    found = {path.relative_to(plan.root) if path.is_relative_to(plan.root) else path for path in paths}
    return [str(path) for path in sorted(found)]


def stage(plan: Plan, name: str) -> list[str]:
    """Files of a stage."""
    return relative(plan, _closure(f"stages.{name}"))


def training(plan: Plan, experiment: str, optimizer: str) -> list[str]:
    """Files of a training job: the stage, its task, its model, its data set's loader, its optimizer."""
    written = plan.written(experiment)
    found = {*_closure("stages.train"), *_named(rooms.TASKS, written["task"])}
    if rooms.needs(written["task"]).models:
        found |= {*_named(rooms.MODELS, written["model"]["name"])}
        found |= {*_named(rooms.BUILDERS, plan.datasets[written["dataset"]].builder)}
    if plan.optimizers[optimizer].torch_class:
        return relative(plan, found | {*_closure(CLASS)}) + of_class(plan, optimizer)[0]
    return relative(plan, found | {*_closure(*registry.modules(plan.optimizers[optimizer].rule))})


def of_class(plan: Plan, optimizer: str) -> tuple[list[str], str]:
    """Files of a torch class (its package, if it is the user's own; the named module, if it is installed), and the
    version of an installed package."""
    described = plan.optimizers[optimizer]
    paths, version = user_code.origin(described.torch_class, described.path)
    return [str(path) for path in paths], version


def building(plan: Plan, name: str) -> list[str]:
    """Files that building a data set runs: the stage, its builder (with its table, if it has one), and its parents'."""
    dataset = plan.datasets[name]
    builders = {dataset.builder, *(plan.datasets[parent].builder for parent in dataset.parents.values())}
    found = {*_closure("stages.build_dataset"), *(path for x in builders for path in _named(rooms.BUILDERS, x))}
    table = rooms.BUILDERS.file(dataset.builder).with_suffix(".csv")
    return relative(plan, found) + relative(plan, [table] if table.is_file() else [])


def solving(plan: Plan, experiment: str) -> list[str]:
    """Files that evaluating closed forms runs: the stage, and the table's module and data set's loader if any."""
    theory = plan.experiments[experiment].theory
    found = {*_closure("stages.solve")}
    if "table" in theory:
        found |= {*_named(rooms.TABLES, theory["table"])}
    if "dataset" in theory:
        found |= {*_named(rooms.BUILDERS, plan.datasets[theory["dataset"]].builder)}
    return relative(plan, found)


def of_notebook(plan: Plan, path: str) -> list[str]:
    """Files that rendering a notebook runs."""
    return relative(plan, notebooks.source_files(notebooks.read(plan.root / path), path))


def of_rules(plan: Plan) -> list[str]:
    """Modules of all update rules."""
    return relative(plan, _closure(*sorted({one for rule in registry.names() for one in registry.modules(rule)})))


def check_syntax(root: Path) -> None:
    """Refuse a source file of the project that Python cannot read, also where no job would run it.

    Python's own bytecode says which files it has read since they changed, so that looking costs a few milliseconds.

    Raises:
        UserError: naming file and line.
    """
    for path in sorted((root / "src").rglob("*.py")):
        try:
            SourceFileLoader(path.stem, str(path)).get_code(path.stem)
        except (SyntaxError, UnicodeDecodeError, ValueError):
            parse(path)  # which says it in words
            raise UserError(f"{path} is no Python source") from None


def check_classes(plan: Plan) -> None:
    """Refuse torch classes in files that Python cannot read.

    Raises:
        UserError: naming file and line.
    """
    for name, one in plan.optimizers.items():
        if one.torch_class:
            user_code.check_syntax(name, one.torch_class, one.path)
