"""Which optimizer is swept where: default grids, the experiments that an optimizer joins, and their checks."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from muon_imbalance.common import tokens
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.optimizers import registry
from muon_imbalance.plan import rooms
from muon_imbalance.plan.records import NAME, TOKEN, Optimizer, Training

if TYPE_CHECKING:
    from muon_imbalance.plan.planning import Plan

SETTINGS = ("rule", "class", "hyper", "experiments", "path", "only_matrices")
"""Keys of an entry under ``optimizers`` that are no grid."""
THEORY = "theory"
"""The task of an experiment that trains nothing."""
MOST_CELLS = 10_000
CLASS = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"

defaults = cache(registry.defaults)
"""Hyperparameters of an update rule, read from its source text."""


def known(name: Any, allowed: Any, where: str) -> None:
    """Refuse a name that is not among the allowed ones."""
    if not isinstance(name, str) or name not in allowed:
        raise UserError(f"{where}: {name!r} is unknown; allowed: {', '.join(sorted(allowed))}")


def joinable(task: str) -> bool:
    """Whether any optimizer can be trained on a task; not where given rules are compared with closed forms."""
    return task != THEORY and rooms.needs(task).classes


def default_grid(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Swept keys of an entry under ``optimizers``."""
    return {key: values for key, values in entry.items() if key not in SETTINGS}


def optimizer(name: str, entry: Mapping[str, Any]) -> Optimizer:
    """An entry under ``optimizers`` as a record.

    Raises:
        UserError: naming key and what is allowed.
    """
    where, kinds = f"optimizers.{name}", [key for key in ("rule", "class") if key in entry]
    given = {{"class": "torch_class"}.get(key, key): entry[key] for key in SETTINGS if key in entry}
    if len(kinds) != 1:
        both = "both" if kinds else "none"
        raise UserError(f"{where}: {sorted(entry)} has {both} of 'rule' and 'class'; allowed: one of them")
    if "class" in entry and not re.fullmatch(CLASS, str(entry["class"])):
        raise UserError(f"{where}.class = {entry['class']!r}; allowed: package.module:Class")
    if "rule" in entry and (unread := [key for key in ("path", "only_matrices") if key in entry]):
        raise UserError(f"{where}: key {unread[0]!r} is read for a class only")
    grid = default_grid(entry)
    if "lr" not in grid and (grid or "class" in entry):
        raise UserError(f"{where}: key 'lr' is missing" + (f" (it sweeps {', '.join(map(str, grid))})" if grid else ""))
    if "rule" in entry:
        known(entry["rule"], registry.names(), f"{where}.rule")
    return checked(Optimizer, given | {"grid": grid}, where)


def check_grid(grid: Any, where: str) -> None:
    """Refuse a grid with anything but distinct numbers as text, and learning rates that are not positive.

    Raises:
        UserError: naming place, value and what is allowed.
    """
    if not isinstance(grid, Mapping) or "lr" not in grid:
        raise UserError(f"{where} = {grid!r}; allowed: a map of hyperparameters to lists, with the key 'lr'")
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{where}.{key} = {values!r}; allowed: a list with at least one number in quotes")
        seen: dict[tuple[float, ...], str] = {}
        for value in values:
            place = f"{where}.{key}: {value!r}"
            if not isinstance(value, str):
                raise UserError(f"{place} must be text (write numbers of a sweep in quotes)")
            if not re.fullmatch(TOKEN if key == "lr" else f"{TOKEN}(,{TOKEN})*", value):
                raise UserError(f"{place} is not a non-negative number written as text, like '0.01'")
            number = tokens.numbers(value)
            if not all(map(math.isfinite, number)) or key == "lr" and number[0] <= 0:
                raise UserError(f"{place}; allowed: {'a finite number above 0' if key == 'lr' else 'finite numbers'}")
            if number in seen:
                raise UserError(f"{place} is there twice (also as {seen[number]!r}); allowed: each value once")
            seen[number] = value
    if (cells := math.prod(map(len, grid.values()))) > MOST_CELLS:
        raise UserError(f"{where}: {cells:,} combinations of values; allowed: up to {MOST_CELLS:,}")


def headline(config: dict) -> list[str]:
    """Experiments that an optimizer with a default grid joins unless it says otherwise.

    Those that a figure shows, that train a neural network (not a linear model), that choose hyperparameters, and that
    do not say ``joins: false``.
    """
    shown = {name for figure in config["figures"].values() for name in figure["experiments"]}
    return [
        name
        for name, experiment in config["experiments"].items()
        if name in shown
        and "selection" in experiment
        and experiment.get("model", {}).get("name") != "linear"
        and experiment.get("joins", True)
    ]


def joined(config: dict, left_out: Collection[str] = ()) -> dict:
    """The configuration with every optimizer that has a default grid in the sweeps of its experiments.

    What an experiment says itself stands: a grid of its own, or null for none (its place is in ``left_out`` then).

    Raises:
        UserError: an optimizer names an experiment that does not exist or that it cannot join.
    """
    experiments = dict(config["experiments"])
    for name, entry in config["optimizers"].items():
        grid = default_grid(entry)
        if not grid:
            continue
        allowed = [x for x, experiment in experiments.items() if joinable(experiment["task"])]
        for chosen in entry.get("experiments", headline(config)):
            if chosen not in allowed:
                wrong = f"{chosen!r} is not an experiment that optimizers can join"
                raise UserError(f"optimizers.{name}.experiments: {wrong}; allowed: {', '.join(sorted(allowed))}")
            sweep = experiments[chosen].get("sweep") or {}
            if name not in sweep and f"experiments.{chosen}.sweep.{name}" not in left_out:
                experiments[chosen] = experiments[chosen] | {"sweep": sweep | {name: grid}}
    return config | {"experiments": {name: _frozen(name, experiments) for name in experiments}}


def _frozen(name: str, experiments: dict) -> dict:
    """An experiment; one with ``frozen_from`` has the sweeps of its optimizers from there (one is selected there).

    Raises:
        UserError: it has a sweep of its own, or the other experiment does not exist, is frozen itself, or lacks an
            optimizer.
    """
    experiment = experiments[name]
    if "frozen_from" not in experiment:
        return experiment
    where, tuner = f"experiments.{name}", experiment["frozen_from"]
    free = sorted(other for other, one in experiments.items() if one.get("sweep") and "frozen_from" not in one)
    known(tuner, free, f"{where}.frozen_from")
    if "sweep" in experiment or "selection" in experiment:
        raise UserError(f"{where}: it takes the selection of {tuner}; allowed: optimizers, but no sweep or selection")
    there = experiments[tuner]["sweep"]
    if not isinstance(part := experiment.get("optimizers"), list) or not part:
        raise UserError(f"{where}.optimizers = {part!r}; allowed: a list of {', '.join(sorted(there))}")
    for one in part:
        known(one, there, f"{where}.optimizers")
    return experiment | {"sweep": {key: there[key] for key in part}}


def users(plan: "Plan", experiment: str) -> list[str]:
    """Optimizers of the user's own in an experiment's sweep: classes, and rules with a default grid."""
    swept = plan.training[experiment].sweep if experiment in plan.training else {}
    return [name for name in swept if plan.optimizers[name].torch_class or plan.optimizers[name].grid]


def grid_place(plan: "Plan", experiment: str, name: str) -> str:
    """Where an optimizer's grid on an experiment is written: in the experiment (or the one that it takes its selection
    from), the report card, or the optimizer's default.
    """
    tuner = plan.training[experiment].frozen_from or experiment
    if name in plan.training[experiment].sweep:
        written = plan.loaded.config["experiments"][tuner].get("sweep") or {}
        return f"experiments.{tuner}.sweep.{name}" if name in written else f"optimizers.{name}"
    card = f"card.experiments.{experiment}.sweep.{name}"
    return card if name in _on_card(plan, experiment) else f"optimizers.{name}"


def grid_of(plan: "Plan", experiment: str, name: str) -> dict[str, list[str]]:
    """Grid of an optimizer on an experiment: the experiment's own, the report card's, or the optimizer's default.

    Raises:
        UserError: there is none.
    """
    default = {name: plan.optimizers[name].grid} if plan.optimizers[name].grid else {}
    grids = default | _on_card(plan, experiment) | plan.training[experiment].sweep
    if name not in grids:
        places = f"optimizers.{name} or under card.experiments.{experiment}.sweep.{name}"
        raise UserError(f"{name} has no grid for {experiment}; add lr: [...] under {places}")
    return grids[name]


def _on_card(plan: "Plan", experiment: str) -> dict[str, Any]:
    """Grids of the report card on an experiment."""
    return plan.card.experiments[experiment].sweep if experiment in plan.card.experiments else {}


def check(plan: "Plan") -> None:
    """Refuse hyperparameters that an update does not have, and grids that no experiment can use.

    Raises:
        UserError: naming place, key and what is allowed.
    """
    for name, one in plan.optimizers.items():
        _check_hyper(one, one.hyper, f"optimizers.{name}.hyper")
        if one.grid:
            _check_sweep(one, {}, one.grid, f"optimizers.{name}")
    for where, experiment, grids in _sweeps(plan):
        for name, grid in grids.items():
            known(name, plan.optimizers, where)
            one = plan.optimizers[name]
            if one.torch_class and not joinable(experiment.task):
                why = f"a class cannot be trained on task {experiment.task}, whose figures compare given rules"
                raise UserError(f"{where}.{name}: {why}; leave it out")
            _check_sweep(one, experiment.hyper.get(name, {}), grid, f"{where}.{name}")
    for where, experiment in plan.training.items():
        for name, hyper in experiment.hyper.items():
            known(name, plan.optimizers, f"experiments.{where}.hyper")
            _check_hyper(plan.optimizers[name], hyper, f"experiments.{where}.hyper.{name}")
        for variant, changes in experiment.variants.items():
            for name in experiment.sweep:
                place = f"experiments.{where}.variants.{variant}.hyper"
                _check_hyper(plan.optimizers[name], changes.get("hyper", {}), place)


def _sweeps(plan: "Plan") -> Iterator[tuple[str, Training, dict[str, Any]]]:
    """Every mapping of optimizers to grids, with its dotted place and its experiment."""
    for name, experiment in plan.training.items():
        yield f"experiments.{name}.sweep", experiment, experiment.sweep
    for name, described in plan.card.experiments.items():
        if name in plan.training:
            yield f"card.experiments.{name}.sweep", plan.training[name], described.sweep


def _check_hyper(one: Optimizer, hyper: Mapping[str, Any], where: str) -> None:
    """Fixed hyperparameters are the rule's, and in its ranges."""
    if not one.torch_class:
        checked(registry.options(one.rule), hyper, where)


def _check_sweep(one: Optimizer, hyper: Mapping[str, Any], grid: Any, where: str) -> None:
    """Swept keys are the rule's, none is fixed as well (``hyper``: in the experiment), and values are in range."""
    check_grid(grid, where)
    if twice := sorted({*one.hyper, *hyper} & set(grid)):
        raise UserError(f"{where}: {twice[0]!r} is both fixed (under hyper) and swept; keep one")
    if one.torch_class:
        return
    allowed = defaults(one.rule)
    for key, values in grid.items():
        if key not in allowed:
            raise UserError(f"{where}: {key!r} is not a hyperparameter of {one.rule}; allowed: {', '.join(allowed)}")
        for token in values:
            try:
                value = tokens.value(key, token, allowed[key])
            except UserError as error:
                raise UserError(f"{where}.{error}") from None
            checked(registry.options(one.rule), {key: list(value) if isinstance(value, tuple) else value}, where)


def check_names(entries: Mapping[Any, Any], kind: str, pattern: str = NAME) -> None:
    """Refuse names that cannot be file names (YAML reads ``no:`` and ``5:`` as no text), and entries without keys."""
    for name, entry in entries.items():
        if not isinstance(name, str) or not re.fullmatch(pattern, name):
            raise UserError(f"{kind}: name {name!r} is not allowed; names must match {pattern}")
        if not isinstance(entry, Mapping):
            raise UserError(f"{kind}.{name} = {entry!r}; allowed: a map")
