"""Which optimizer is swept where: default grids, the experiments that an optimizer joins, and their checks."""

from collections.abc import Callable, Collection

from muon_imbalance.common import tokens
from muon_imbalance.common.errors import UserError

SETTINGS = ("rule", "class", "hyper", "experiments", "path", "only_matrices")
"""Keys of an entry under ``optimizers`` that are no grid."""
FIXED_TASKS = ("deep_linear", "population", "sample_moments", "theory")
"""Tasks whose figures compare given rules with closed forms; a class of the user's own cannot join them."""


WITHOUT_VECTORS = ("linear", "one_hidden")
"""Models all of whose parameters are matrices."""


def default_grid(optimizer: dict) -> dict[str, list[str]]:
    """Swept keys of an entry under ``optimizers``."""
    return {key: values for key, values in optimizer.items() if key not in SETTINGS}


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

    What an experiment says itself stands: a grid of its own, or null for none (``left_out``: dotted paths set to null).

    Raises:
        UserError: an optimizer names an experiment that does not exist or that it cannot join.
    """
    experiments = dict(config["experiments"])
    for name, optimizer in config["optimizers"].items():
        grid = default_grid(optimizer or {})
        if optimizer is None or not grid:
            continue
        if "lr" not in grid:
            raise UserError(f"optimizers.{name}: key 'lr' is missing (it sweeps {', '.join(grid)})")
        for chosen in optimizer.get("experiments", headline(config)):
            allowed = [x for x, experiment in experiments.items() if experiment["task"] not in FIXED_TASKS]
            if chosen not in allowed:
                raise UserError(
                    f"optimizers.{name}.experiments: {chosen!r} is not an experiment that optimizers can join; "
                    f"allowed: {', '.join(sorted(allowed))}"
                )
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
    _known(tuner, free, f"{where}.frozen_from")
    if "sweep" in experiment or "selection" in experiment:
        raise UserError(f"{where}: it takes the selection of {tuner}; allowed: optimizers, but no sweep or selection")
    there = {key: grid for key, grid in experiments[tuner]["sweep"].items() if grid}
    for optimizer in experiment.get("optimizers", []):
        _known(optimizer, there, f"{where}.optimizers")
    return experiment | {"sweep": {key: there[key] for key in experiment.get("optimizers", [])}}


def own(config: dict, experiment: str) -> list[str]:
    """Optimizers of the user's own in an experiment's sweep: classes, and rules with a default grid."""
    return [
        name
        for name in config["experiments"][experiment].get("sweep", {})
        if "class" in config["optimizers"][name] or default_grid(config["optimizers"][name])
    ]


def grid_of(config: dict, experiment: str, optimizer: str) -> dict[str, list[str]]:
    """Grid of an optimizer on an experiment: the experiment's own, the report card's, or the optimizer's default.

    Raises:
        UserError: there is none.
    """
    card = config.get("card", {}).get("experiments", {}).get(experiment, {})
    for grids in (config["experiments"][experiment].get("sweep", {}), card.get("sweep", {})):
        if optimizer in grids:
            return grids[optimizer]
    if grid := default_grid(config["optimizers"][optimizer]):
        return grid
    raise UserError(
        f"{optimizer} has no grid for {experiment}; add lr: [...] under optimizers.{optimizer} "
        f"or under card.experiments.{experiment}.sweep.{optimizer}"
    )


def check(config: dict, defaults: Callable[[str], dict[str, object]]) -> None:
    """Refuse hyperparameters that an update does not have, and grids that no experiment can use.

    Args:
        defaults: hyperparameters of an update rule with their defaults (a class is asked when it is checked).

    Raises:
        UserError: naming place, key and what is allowed.
    """
    experiments = config["experiments"]
    for name, optimizer in config["optimizers"].items():
        _check_keys(optimizer, optimizer.get("hyper", {}), default_grid(optimizer), f"optimizers.{name}", defaults)
    for where, sweeps in _sweeps(config):
        experiment = where.split(".")[-2]
        if experiment not in experiments:
            raise UserError(f"{where}: {experiment!r} is unknown; allowed: {', '.join(sorted(experiments))}")
        for name, grid in sweeps.items():
            _known(name, config["optimizers"], where)
            optimizer = config["optimizers"][name]
            if "class" in optimizer and experiments[experiment]["task"] in FIXED_TASKS:
                raise UserError(
                    f"{where}.{name}: a class cannot be trained on task {experiments[experiment]['task']}, "
                    "whose figures compare given rules; leave it out"
                )
            hyper = optimizer.get("hyper", {}) | experiments[experiment].get("hyper", {}).get(name, {})
            _check_keys(optimizer, hyper, grid, f"{where}.{name}", defaults)
            for variant in experiments[experiment].get("variants", {}).values():
                _check_keys(optimizer, variant.get("hyper", {}), {}, f"{where}.{name} (variants)", defaults)


def _sweeps(config: dict):
    """Every mapping of optimizers to grids, with its dotted place."""
    for name, experiment in config["experiments"].items():
        yield f"experiments.{name}.sweep", experiment.get("sweep", {})
    for name, described in config.get("card", {}).get("experiments", {}).items():
        yield f"card.experiments.{name}.sweep", described.get("sweep", {})


def _known(name: str, allowed, where: str) -> None:
    if name not in allowed:
        raise UserError(f"{where}: {name!r} is unknown; allowed: {', '.join(sorted(allowed))}")


def _check_keys(optimizer: dict, hyper: dict, grid: dict, where: str, defaults) -> None:
    """Fixed and swept keys are the rule's, each is one or the other, and tokens fit."""
    if twice := sorted(set(hyper) & set(grid)):
        raise UserError(f"{where}: {twice[0]!r} is both fixed (under hyper) and swept; keep one")
    if "class" in optimizer:
        return
    known = defaults(optimizer["rule"])
    for key in [*hyper, *grid]:
        if key not in known:
            raise UserError(
                f"{where}: {key!r} is not a hyperparameter of {optimizer['rule']}; allowed: {', '.join(known)}"
            )
    for key, values in grid.items():
        for token in values:
            try:
                tokens.value(key, token, known[key])
            except UserError as error:
                raise UserError(f"{where}.{error}") from None
