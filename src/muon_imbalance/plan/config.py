"""Checking the configuration: a closed schema, then the cross-references, with messages that name what is allowed."""

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import sweeps

NEEDED = {
    "bilinear": ("dataset", "model"),
    "classification": ("dataset", "model", "evaluate"),
    "decoding": ("dataset", "model", "evaluate", "decode"),
    "deep_linear": ("mixture", "model"),
    "features": ("dataset", "model", "evaluate"),
    "finetuning": ("dataset", "model", "evaluate"),
    "language": ("dataset", "model"),
    "network": ("dataset", "model", "evaluate"),
    "population": ("mixture",),
    "sample_moments": ("mixture", "dataset", "model"),
}
"""Keys of an experiment that its task reads."""
MINIBATCH = ("decoding", "features", "finetuning", "language", "network")
"""Tasks that count epochs of minibatches; the others count steps."""


def _explain(error) -> str:
    """A schema violation in one sentence."""
    where = ".".join(str(part) for part in error.absolute_path) or "config"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        patterns = list(error.schema.get("patternProperties", {}))
        unknown = sorted(
            key for key in error.instance if key not in known and not any(re.match(p, key) for p in patterns)
        )
        if patterns:
            return f"{where}: name {unknown[0]!r} is not allowed; names must match {patterns[0]}"
        return f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(sorted(known))}"
    if error.validator == "enum":
        return f"{where}: {error.instance!r} is not allowed; allowed: {', '.join(map(str, error.validator_value))}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{where}: key {missing[0]!r} is missing"
    if error.validator == "pattern" and error.schema["pattern"].endswith(":[A-Za-z_][A-Za-z0-9_]*$"):
        return f"{where}: {error.instance!r} is not allowed; allowed: package.module:Class"
    if error.validator == "pattern" and error.schema.get("pattern", "").startswith("^[0-9]+"):
        return f"{where}: {error.instance!r} is not a non-negative number written as text, like '0.01'"
    if error.validator == "type":
        hint = " (write numbers of a sweep in quotes)" if error.validator_value == "string" else ""
        return f"{where}: {error.instance!r} must be of type {error.validator_value}{hint}"
    return f"{where}: {error.message}"


def check_schema(config: dict, schema_file: Path) -> None:
    """Raise :class:`UserError` for the first violation of the schema."""
    validator = Draft202012Validator(yaml.load(schema_file.read_text(encoding="utf-8"), yaml.CSafeLoader))
    errors = sorted(validator.iter_errors(config), key=lambda error: (len(error.absolute_path), error.message))
    if errors:
        raise UserError(_explain(errors[0]))


def _known(value: str, allowed, key: str) -> None:
    if value not in allowed:
        raise UserError(f"{key}: {value!r} is unknown; allowed: {', '.join(sorted(allowed))}")


def check_references(config: dict, rules: list[str], notebooks: Path, defaults: Callable[[str], dict]) -> None:
    """Every name that points to another part of the configuration exists, and numbers that must agree do.

    ``rules`` are the updates of the package, ``defaults`` gives an update's hyperparameters.
    """
    for name, dataset in config["datasets"].items():
        if "parent" in dataset:
            _known(dataset["parent"], config["datasets"], f"datasets.{name}.parent")
        for role, parent in dataset.get("parents", {}).items():
            _known(parent, config["datasets"], f"datasets.{name}.parents.{role}")
        if str(dataset["config"].get("source", "")).endswith("_folder") and not config["data_dir"]:
            raise UserError(
                f"data_dir: {config['data_dir']!r}, but datasets.{name} is read from a folder; "
                "allowed: a folder with the official files"
            )
    for name, optimizer in config["optimizers"].items():
        if "rule" in optimizer:
            _known(optimizer["rule"], rules, f"optimizers.{name}.rule")
    for name, experiment in config["experiments"].items():
        _check_experiment(config, name, experiment)
    sweeps.check(config, defaults)
    for name in config.get("card", {}).get("against", []):
        _known(name, config["optimizers"], "card.against")
    for name, figure in config["figures"].items():
        for kind in ("experiments", "theory"):
            for used in figure.get(kind, []):
                _known(used, config["experiments"], f"figures.{name}.{kind}")
        for used in figure.get("datasets", []):
            _known(used, config["datasets"], f"figures.{name}.datasets")
        notebook = notebooks / f"{name}_{figure['slug']}.ipynb"
        if not notebook.is_file():
            raise UserError(f"figures.{name}: there is no notebook {notebook.name} in {notebooks.name}/")
    if config["require_real"] and (lacking := stand_ins(config)):
        told = "; ".join(
            f"{figure}: " + ", ".join(f"{name} stands in for {whose}" for name, whose in found.items())
            for figure, found in lacking.items()
        )
        raise UserError(
            f"require_real: figures without the paper's data: {told}. Allowed: a configuration without stand-ins, as "
            "scale: paper (official hosts, or your own folder), or one without these figures"
        )


def stand_ins(config: dict) -> dict[str, dict[str, str]]:
    """Figures that show other data or weights than the paper's, each with what stands in for what, such as
    ``{"fig_09": {"tales": "TinyStories"}}``; what a data set is made from counts as well.
    """
    datasets = config["datasets"]
    found: dict[str, dict[str, str]] = {}
    for figure, described in config["figures"].items():
        shown = [config["experiments"][name] for name in (*described["experiments"], *described.get("theory", []))]
        names = [one.get("dataset") or one.get("theory", {}).get("dataset") for one in shown]
        waiting, seen = list(filter(None, names)) + described.get("datasets", []), set()
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            entry = datasets[name]
            waiting += filter(None, [entry.get("parent"), *entry.get("parents", {}).values()])
            if "stand_in_for" in entry:
                found.setdefault(figure, {})[entry.get("called", name)] = entry["stand_in_for"]
    return found


def check_claims(families: dict[str, dict], config: dict, schema_file: Path) -> None:
    """Claim files (by name) follow their schema, and what they judge and illustrate is part of the configuration."""
    for name, family in families.items():
        try:
            check_schema(family, schema_file)
            _known(family["experiment"], config["experiments"], "experiment")
            for claim in family["claims"]:
                _known(claim["figure"], config["figures"], f"claim {claim['id']}, figure")
        except UserError as error:
            raise UserError(f"{name}: {error}") from None


def _check_experiment(config: dict, name: str, experiment: dict) -> None:
    where = f"experiments.{name}"
    if "dataset" in experiment.get("theory", {}):
        _known(experiment["theory"]["dataset"], config["datasets"], f"{where}.theory.dataset")
    if experiment["task"] == "theory":
        if "table" not in experiment["theory"]:
            raise UserError(f"{where}.theory: key 'table' is missing (task theory needs it)")
        return
    frozen = "frozen_from" in experiment
    for optimizer in experiment.get("sweep", {}):
        _known(optimizer, config["optimizers"], f"{where}.sweep")
    length, other = (("epochs", "batch"), "steps") if experiment["task"] in MINIBATCH else (("steps",), "epochs")
    if other in experiment:
        raise UserError(f"{where}: {other!r} is for other tasks; {experiment['task']} takes {', '.join(length)}")
    for key in (*NEEDED[experiment["task"]], *length, "optimizers" if frozen else "sweep"):
        if key not in experiment:
            raise UserError(f"{where}: key {key!r} is missing (task {experiment['task']} needs it)")
    for optimizer in experiment.get("hyper", {}):
        _known(optimizer, config["optimizers"], f"{where}.hyper")
    if "dataset" in experiment:
        _known(experiment["dataset"], config["datasets"], f"{where}.dataset")
        data, seeds = experiment["dataset"], experiment["seeds"]
        repetitions = config["datasets"][data]["config"].get("repetitions")
        if repetitions is not None and repetitions < seeds:
            raise UserError(
                f"{where}.seeds: {seeds} repetitions are asked for, but the data set {data!r} has {repetitions}; "
                f"raise datasets.{data}.config.repetitions"
            )
    if experiment.get("grid_seeds", 1) > experiment["seeds"]:
        raise UserError(f"{where}.grid_seeds: {experiment['grid_seeds']} is more than seeds ({experiment['seeds']})")
    several = any(len(cells(sweep)) > 1 for sweep in experiment.get("sweep", {}).values())
    if several and "selection" not in experiment and not frozen:
        raise UserError(f"{where}: a sweep has several cells, so the key 'selection' is needed")
    if experiment.get("shards") == "each" and "variants" in experiment:
        raise UserError(f"{where}.shards: 'each' is not possible with variants; allowed: one")
    if "mixture" in experiment:
        _check_linear(experiment, where)


def _check_linear(experiment: dict, where: str) -> None:
    """Mixture and model of an experiment on a linear model, in each of its variants."""
    _check_mixture(experiment["mixture"], where)
    variants = {f"{where}.variants.{name}": changes for name, changes in experiment.get("variants", {}).items()}
    for place, changes in (variants or {where: {}}).items():
        if unknown := sorted(set(changes.get("mixture", {})) - set(experiment["mixture"])):
            raise UserError(
                f"{place}.mixture: unknown key {unknown[0]!r}; allowed: {', '.join(sorted(experiment['mixture']))}"
            )
        _check_mixture(experiment["mixture"] | changes.get("mixture", {}), place)
        model = experiment.get("model", {}) | changes.get("model", {})
        for key in ("layers", "delta") if experiment["task"] == "deep_linear" else ():
            if key not in model:
                raise UserError(f"{place}.model: key {key!r} is missing (task deep_linear needs it)")


def _check_mixture(mixture: dict, where: str) -> None:
    """One probability for each class, and room for the means."""
    if len(mixture["p"]) != mixture["k"] or abs(sum(mixture["p"]) - 1) > 1e-9:
        raise UserError(f"{where}.mixture.p: {mixture['p']} must be k = {mixture['k']} numbers that sum to 1")
    if mixture["d"] < mixture["k"]:
        raise UserError(f"{where}.mixture.d: {mixture['d']} is less than k = {mixture['k']}")


def cells(sweep: dict[str, list[str]]) -> list[dict[str, str]]:
    """All combinations of a sweep's values, in the order written."""
    return [dict(zip(sweep, values, strict=True)) for values in product(*sweep.values())]
