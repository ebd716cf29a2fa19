"""An experiment: its protocol, the settings of its task, and its model, each checked by what reads them."""

from collections.abc import Mapping
from typing import Any

from muon_imbalance.common.errors import UserError, within
from muon_imbalance.common.settings import checked
from muon_imbalance.plan import rooms
from muon_imbalance.plan.job import overlaid
from muon_imbalance.plan.records import Chunked, Dataset, Experiment, Minibatch, Stepwise, Table, Training, Variant
from muon_imbalance.plan.sweeps import THEORY, check_grid, check_names, known


def check_task(entry: Mapping[str, Any], where: str) -> None:
    """Refuse an experiment whose task does not exist.

    Raises:
        UserError: naming the tasks.
    """
    task, names = entry.get("task"), ", ".join(sorted([*rooms.TASKS.names(), THEORY]))
    if not isinstance(task, str):
        raise UserError(f"{where}: key 'task' is missing; allowed: {names}" if task is None
                        else f"{where}.task = {task!r}; allowed: {names}")  # fmt: skip
    if task != THEORY:
        with within(f"{where}.task"):
            rooms.needs(task)


def protocol(task: str) -> type[Training]:
    """How long a task trains, and what it records."""
    needs = rooms.needs(task)
    return Minibatch if needs.minibatch else Chunked if needs.models else Stepwise


def experiment(name: str, entry: dict[str, Any], datasets: Mapping[str, Dataset]) -> Experiment:
    """An entry under ``experiments`` as a record (see :func:`check_task` first).

    Raises:
        UserError: a key that the task does not read, a value out of its range, a data set that it cannot read.
    """
    where, task = f"experiments.{name}", entry["task"]
    if task == THEORY:
        _check_keys(entry, set(Experiment.model_fields), where, task)
        return _closed_forms(entry, datasets, where)
    needs, kind = rooms.needs(task), protocol(task)
    settings = {*rooms.task_options(task).model_fields, *(["model"] if needs.models else [])}
    reads = settings | set(kind.model_fields) - (set() if needs.dataset else {"dataset"})
    _check_keys(entry, reads, where, task)
    typed = checked(kind, {key: value for key, value in entry.items() if key in kind.model_fields}, where)
    given = settings_of(entry, datasets, where)
    if not typed.variants:  # otherwise settings may be whole only with the changes of each variant
        rooms.chosen(task, given, where)
    if typed.theory:
        check_table({"mixture": entry.get("mixture"), "steps": entry["steps"]} | typed.theory, None, f"{where}.theory")
    check_names(typed.variants, f"{where}.variants")
    for variant, changes in typed.variants.items():
        place = f"{where}.variants.{variant}"
        _check_keys(changes, settings | set(Variant.model_fields), place, task)
        own = {key: value for key, value in changes.items() if key in Variant.model_fields}
        checked(Variant, own, place)
        if "lr" in own:
            check_grid({"lr": [own["lr"]]}, place)
        rooms.chosen(task, overlaid(given, {key: changes[key] for key in changes if key not in own}), place)
    return typed


def settings_of(entry: Mapping[str, Any], datasets: Mapping[str, Dataset], where: str = "") -> dict[str, Any]:
    """What a task itself is given of an experiment, as written: all that is not protocol, and its data set.

    Raises:
        UserError: the data set is missing, unknown, or none that the task can read.
    """
    task, needs = entry["task"], rooms.needs(entry["task"])
    given = {key: value for key, value in entry.items() if key not in protocol(task).model_fields}
    if not needs.dataset:
        return given
    if "dataset" not in entry:
        raise UserError(f"{where}: key 'dataset' is missing (task {task} needs it)")
    known(name := entry["dataset"], datasets, f"{where}.dataset")
    builder = datasets[name].builder
    if needs.builders and builder in rooms.BUILDERS.homes() and builder not in needs.builders:
        readable = ", ".join(sorted(other for other, one in datasets.items() if one.builder in needs.builders))
        built = f"{where}.dataset = {name!r} is built by {builder}"
        raise UserError(f"{built}, which task {task} cannot read; allowed: {readable or 'none'}")
    return given | {"dataset": {"name": name, "builder": builder, "config": datasets[name].config}}


def _closed_forms(entry: dict[str, Any], datasets: Mapping[str, Dataset], where: str) -> Experiment:
    """An experiment without training."""
    if "theory" not in entry:
        raise UserError(f"{where}: key 'theory' is missing (task theory needs it)")
    typed, where = checked(Experiment, entry, where), f"{where}.theory"
    if "table" not in typed.theory:
        raise UserError(f"{where}: key 'table' is missing (task theory needs it)")
    table = checked(Table, typed.theory, where)
    if table.dataset is not None:
        known(table.dataset, datasets, f"{where}.dataset")
    check_table({"table": table.table} | table.config, table.dataset, where)
    return typed


def check_table(config: Mapping[str, Any], dataset: str | None, where: str) -> None:
    """Options of a table of closed forms.

    Raises:
        UserError: there is no such table, or a key or value that it does not take.
    """
    config = dict(config)
    table = config.pop("table", rooms.DEFAULT)
    with within(f"{where}.table"):
        options = rooms.table_options(table, dataset is not None)
    checked(options, config, where if table == rooms.DEFAULT else f"{where}.config")


def _check_keys(entry: Mapping[str, Any], reads: set[str], where: str, task: str) -> None:
    """Refuse a key that nobody reads."""
    for key in entry:
        if key not in reads:
            raise UserError(f"{where}: unknown key {key!r}; allowed: {', '.join(sorted(reads))} (task {task})")
