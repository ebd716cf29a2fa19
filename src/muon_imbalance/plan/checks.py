"""What must agree across the configuration: references, kinds of data, numbers, notebooks, folders.

Every refusal begins with the dotted place of the setting, so that file and line can be put in front of it.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError, within
from muon_imbalance.common.settings import checked
from muon_imbalance.plan import files, rooms, sweeps
from muon_imbalance.plan.figures import given_parameters, notebook_file, stand_ins
from muon_imbalance.plan.job import cells
from muon_imbalance.plan.planning import Plan, placed
from muon_imbalance.plan.records import Minibatch
from muon_imbalance.plan.sweeps import joinable, known
from muon_imbalance.reporting.notebooks import notebook_file as notebooks

RUNNERS = ("output_dir", "title", "data_label", "scale")
"""Parameters of a notebook that the runner sets itself."""


def check(plan: Plan) -> None:
    """Refuse a configuration whose parts do not fit together.

    Raises:
        UserError: naming place, value and what is allowed.
    """
    for name, dataset in plan.datasets.items():
        with within(f"datasets.{name}.builder"):
            rooms.builder_options(dataset.builder)
    options = {name: _check_dataset(plan, name) for name in plan.datasets}
    for name in plan.datasets:
        _check_ancestors(plan, name)
    sweeps.check(plan)
    for name in plan.training:
        _check_experiment(plan, name, options)
    _check_card(plan)
    for name in plan.figures:
        _check_figure(plan, name)
    _check_archive(plan)
    if plan.run.require_real and (lacking := stand_ins(plan)):
        told = [f"{figure}: " + ", ".join(map(" stands in for ".join, x.items())) for figure, x in lacking.items()]
        raise UserError(
            f"require_real: figures without the paper's data: {'; '.join(told)}. Allowed: a configuration without "
            "stand-ins, as scale: paper (official hosts, or your own folder), or one without these figures"
        )


def _check_archive(plan: Plan) -> None:
    """An archive holds all that the figures of this scale show."""
    folder = plan.run.results_from
    if not folder:
        return
    shown = {name: plan.experiments[name] for name in files.drawn(plan)}
    wanted = [table for name in shown for table in files.run_tables(plan, name)]
    wanted += [files.theory_table(plan, name) for name, one in shown.items() if one.theory]
    wanted += [path for name in shown for path in files.manifests(plan, name) if path.startswith(folder)]
    if missing := [path for path in wanted if not (plan.root / path).is_file()]:
        raise UserError(
            f"results_from = {folder!r}: {missing[0]} is not there ({len(missing)} of {len(wanted)} files missing); "
            f"allowed: an archive of a whole run at scale {plan.scale}, which `muon-imbalance keep` writes"
        )


def writable(plan: Plan) -> None:
    """Refuse folders that nothing can be written to.

    Raises:
        UserError: naming the setting, the folder and what is wrong with it.
    """
    if not re.fullmatch(r"[\w./+@%=-]+", plan.run.figures_dir):
        message = f"figures_dir = {plan.run.figures_dir!r}; allowed: a folder without spaces or special characters"
        raise UserError(placed(message, plan.loaded.places))
    for folder in (plan.run.figures_dir, "results", "data", "logs"):
        there = plan.root / folder
        while not there.exists() and there != there.parent:
            there = there.parent
        try:
            if not there.is_dir():
                raise NotADirectoryError(20, f"{there} is a file")
            tempfile.TemporaryFile(dir=there).close()
        except OSError as error:
            message = f"nothing can be written there ({error.strerror}); allowed: a folder of your own"
            if folder != plan.run.figures_dir:
                raise UserError(f"the folder {folder}/: {message}") from None
            raise UserError(placed(f"figures_dir = {folder!r}: {message}", plan.loaded.places)) from None


def _once(values: Iterable[Any], where: str) -> None:
    """Refuse a repeated entry of a list of names."""
    for value, count in Counter(values).items():
        if count > 1:
            raise UserError(f"{where}: {value!r} is there twice; allowed: each name once")


def _check_dataset(plan: Plan, name: str) -> Any:
    """Builder, options and direct parents of a data set; returns its checked options."""
    dataset, where = plan.datasets[name], f"datasets.{name}"
    if dataset.parent and dataset.parents:
        raise UserError(f"{where}: it has 'parent' and 'parents'; allowed: one of them")
    roles = rooms.parents(dataset.builder)
    allowed = {role: " or ".join(filter(None, builders)) for role, builders in roles.items()}
    for role, parent in dataset.made_from.items():
        place = f"{where}.parent" if dataset.parent else f"{where}.parents.{role}"
        known(parent, plan.datasets, place)
        known(role, roles, where if dataset.parent else f"{where}.parents")
        if plan.datasets[parent].builder not in roles[role]:
            built = f"{place} = {parent!r} is built by {plan.datasets[parent].builder}"
            raise UserError(f"{built}; allowed: one built by {allowed[role]}")
    for role, builders in roles.items():
        if role not in dataset.made_from and None not in builders:
            key = "parent" if role == "parent" else f"parents.{role}"
            raise UserError(f"{where}: key {key!r} is missing; allowed: a data set built by {allowed[role]}")
    config = dataset.config | ({"parent": dataset.parent} if dataset.parent else {})
    typed = checked(rooms.builder_options(dataset.builder), config, f"{where}.config")
    source = rooms.source(dataset.builder, config) or ""
    if source.endswith("_folder") and not plan.run.data_dir:
        given = f"data_dir: {plan.run.data_dir!r}, but {where} is read from a folder"
        raise UserError(f"{given}; allowed: a folder with the official files")
    return typed


def _check_ancestors(plan: Plan, name: str) -> None:
    """No data set is made from itself, nor by way of others."""
    if name in plan.lineage(plan.datasets[name].made_from.values()):
        key = "parent" if plan.datasets[name].parent else "parents"
        raise UserError(f"datasets.{name}.{key}: {name} would be made from itself; allowed: another data set")


def _check_experiment(plan: Plan, name: str, options: dict[str, Any]) -> None:
    """Data, sweep and repetitions of an experiment."""
    one, where = plan.training[name], f"experiments.{name}"
    if not one.sweep:
        raise UserError(f"{where}: key 'sweep' is missing (task {one.task} needs it)")
    if one.optimizers and not one.frozen_from:
        raise UserError(f"{where}: key 'optimizers' is read with 'frozen_from' only")
    if one.dataset:
        repetitions = getattr(options[one.dataset], "repetitions", None)
        if isinstance(repetitions, int) and repetitions < one.seeds:
            short = f"{one.seeds} repetitions are wanted, but the data set {one.dataset!r} has {repetitions}"
            raise UserError(f"{where}.seeds: {short}; raise datasets.{one.dataset}.config.repetitions")
    if one.looks != sorted(set(one.looks)):
        raise UserError(f"{where}.looks = {one.looks}; allowed: numbers of repetitions, each once, the smallest first")
    if one.grid_seeds > one.seeds:
        raise UserError(f"{where}.grid_seeds: {one.grid_seeds} is more than seeds ({one.seeds})")
    if any(len(cells(grid)) > 1 for grid in one.sweep.values()) and not one.selection and not one.frozen_from:
        raise UserError(f"{where}: a sweep has several cells, so the key 'selection' is needed")
    if one.shards == "each" and one.variants:
        raise UserError(f"{where}.shards: 'each' is not possible with variants; allowed: one")
    length = one.epochs if isinstance(one, Minibatch) else one.steps
    if one.record.every > length:
        raise UserError(f"{where}.record.every = {one.record.every}; allowed: up to the {length} of the run")
    if not isinstance(one, Minibatch) and one.warmup >= length:
        raise UserError(f"{where}.warmup = {one.warmup}; allowed: fewer than the {length} steps")


def _check_card(plan: Plan) -> None:
    """A report card's experiments are such that any optimizer can be trained and chosen there."""
    _once(plan.card.against, "card.against")
    for name in plan.card.against:
        known(name, plan.optimizers, "card.against")
    allowed = [name for name, one in plan.training.items() if joinable(one.task) and one.selection]
    for name in plan.card.experiments:
        known(name, allowed, "card.experiments")


def _check_figure(plan: Plan, name: str) -> None:
    """What a figure shows exists, and its notebook takes exactly what it is given."""
    figure, where = plan.figures[name], f"figures.{name}"
    closed = [other for other, one in plan.experiments.items() if one.theory]
    for key, allowed in (("experiments", plan.training), ("theory", closed), ("datasets", plan.datasets)):
        for used in getattr(figure, key) or ():
            known(used, allowed, f"{where}.{key}")
        _once(getattr(figure, key) or (), f"{where}.{key}")
    if name.startswith("fig_") and not figure.experiments and not figure.theory:
        raise UserError(f"{where}.experiments = []; allowed: at least one experiment (or one under theory)")
    path = notebook_file(plan, name)
    if not (plan.root / path).is_file():
        raise UserError(f"{where}: there is no notebook {Path(path).name} in notebooks/")
    takes = notebooks.parameters(notebooks.read(plan.root / path), path)
    takes, given = {key for key in takes if key not in RUNNERS}, given_parameters(plan, name)
    for key in given:
        if key not in takes:
            place = f"{where}.parameters.{key}" if key in figure.parameters else f"{where}.{key}"
            raise UserError(f"{place}: {path} takes no parameter {key!r}; allowed: {', '.join(sorted(takes))}")
    declared = notebooks.options(plan.root / path)
    for key in takes:
        if key not in given and key not in declared.model_fields:
            raise UserError(f"{where}: key {key!r} is missing ({path} takes it)")
    checked(declared, figure.parameters, f"{where}.parameters")
