"""Claims as records: reading ``claims/*.yaml``, checking them against the schema, expanding variants."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, ValidationError

from muon_imbalance.analysis.claims.comparators import COMPARATORS, Comparator
from muon_imbalance.analysis.statistics import quantities, registry
from muon_imbalance.analysis.statistics.evidence import Stop
from muon_imbalance.analysis.statistics.registry import Statistic
from muon_imbalance.common.errors import UserError


@dataclass(frozen=True)
class Check:
    """One comparison, or one for each pair of ``optimizers`` and ``minus``.

    Attributes:
        label: what is measured, in words.
        statistic, options: how it is measured.
        optimizers: whose value counts; ``minus``: what is subtracted, seed by seed (empty: nothing).
        comparator, threshold: what the result must satisfy.
    """

    label: str
    statistic: Statistic
    options: dict
    optimizers: tuple[str, ...]
    minus: tuple[str, ...]
    comparator: Comparator
    threshold: float


@dataclass(frozen=True)
class Claim:
    """One statement and how it is judged; ``workflow/schemas/claims.schema.yaml`` describes the keys."""

    id: str
    experiment: str
    figure: str
    statement: str
    paper_ref: str
    scales: tuple[str, ...]
    min_seeds: int
    evidence: str
    checks: tuple[Check, ...]
    tolerance_reason: str
    stop: Stop | None = None

    def with_variant(self, treatment: str, variant: str) -> "Claim":
        """The same claim with another optimizer in place of the treatment (in every variant of the experiment)."""

        def swap(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(variant + name[len(treatment) :] if _base(name) == treatment else name for name in names)

        checks = tuple(replace(c, optimizers=swap(c.optimizers), minus=swap(c.minus)) for c in self.checks)
        statement = f"{self.statement} (Judged with {variant} in place of {treatment}.)"
        return replace(self, id=f"{self.id}@{variant}", statement=statement, checks=checks)

    def compares(self, treatment: str) -> bool:
        """True if every check that names the treatment sets it against other optimizers."""
        naming = [c for c in self.checks if treatment in map(_base, (*c.optimizers, *c.minus))]
        return bool(naming) and all(check.minus for check in naming)


def _base(name: str) -> str:
    """Optimizer of ``<optimizer>.<variant>``."""
    return name.partition(".")[0]


class _StrictLoader(yaml.CSafeLoader):
    """YAML without repeated keys (PyYAML would keep the last one silently)."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if repeated := {key for key in keys if keys.count(key) > 1}:
        raise yaml.constructor.ConstructorError(None, None, f"repeated keys {sorted(repeated)}", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> object:
    """A YAML file without repeated keys; anything unreadable is a :class:`UserError`."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None


def _place(error: ValidationError, document: object, path: Path) -> str:
    """``file, claim C1.1, checks.0``: where in the file a schema error is."""
    where, parts = str(path), list(error.absolute_path)
    if len(parts) >= 2 and parts[0] == "claims":
        entry = document["claims"][parts[1]]
        name = entry.get("id") if isinstance(entry, dict) else None
        where += f", claim {name or f'number {parts[1] + 1}'}"
        parts = parts[2:]
    return where + (", " + ".".join(map(str, parts)) if parts else "")


def _message(error: ValidationError) -> str:
    """What is wrong and what is allowed, in words."""
    schema = error.schema
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(schema["properties"]))
        return f"unknown keys {unknown}; allowed: {', '.join(schema['properties'])}"
    if error.validator == "required":
        missing = [key for key in schema["required"] if key not in error.instance]
        return f"keys {missing} are missing; allowed: {', '.join(schema['properties'])}"
    if error.validator == "enum":
        return f"{error.instance!r} is unknown; allowed: {', '.join(map(str, schema['enum']))}"
    return error.message


def _check(raw: dict) -> Check:
    statistic = quantities.named(raw["statistic"])
    options = statistic.parse(raw.get("options", {}))
    optimizers, minus = tuple(raw.get("optimizers", ())), tuple(raw.get("minus", ()))
    needs = {
        "run": "'optimizers'",
        "pair": "'optimizers' and 'minus'",
        "setting": "neither 'optimizers' nor 'minus'",
    }
    fits = {"run": bool(optimizers), "pair": bool(optimizers and minus), "setting": not (optimizers or minus)}
    if not fits[statistic.takes]:
        raise UserError(f"statistic {statistic.name} takes {needs[statistic.takes]}")
    if shared := sorted(set(optimizers) & set(minus)):
        raise UserError(f"{shared} would be compared with itself (both in 'optimizers' and in 'minus')")
    comparator = COMPARATORS[raw["comparator"]]
    return Check(raw["label"], statistic, options, optimizers, minus, comparator, float(raw["threshold"]))


def _claim(raw: dict, experiment: str, own: Sequence[str] = ()) -> Iterator[Claim]:
    """A claim, its variants, and the same comparison for optimizers of the user's own."""
    stop = None
    if "stop" in raw:
        rule = raw["stop"]
        stop = Stop(rule["optimizer"], registry.parse_curve(rule["curve"], "stop.curve"), float(rule["below"]))
    claim = Claim(
        id=raw["id"],
        experiment=experiment,
        figure=raw["figure"],
        statement=" ".join(raw["statement"].split()),
        paper_ref=raw["paper_ref"],
        scales=tuple(raw["scales"]),
        min_seeds=raw["min_seeds"],
        evidence=raw.get("evidence", "interval"),
        checks=tuple(_check(check) for check in raw["checks"]),
        tolerance_reason=" ".join(raw["tolerance_reason"].split()),
        stop=stop,
    )
    if claim.evidence != "every_seed" and any(check.statistic.takes == "setting" for check in claim.checks):
        raise UserError("a statistic of the settings has no interval; set evidence: every_seed")
    yield claim
    treatment = raw.get("treatment", "muon")
    named = {_base(name) for check in claim.checks for name in (*check.optimizers, *check.minus)}
    if raw.get("variants") and treatment not in named:
        raise UserError(f"variants replace the treatment {treatment!r}, which no check names")
    for variant in raw.get("variants", ()):
        yield claim.with_variant(treatment, variant)
    for name in own if claim.compares(treatment) and claim.evidence == "interval" else ():
        variant = claim.with_variant(treatment, name)
        statement = f"{claim.statement} (Not of the paper: the same comparison with {name} in place of {treatment}.)"
        yield replace(variant, statement=statement)


def load(folder: Path, schema: Path, own: Mapping[str, Sequence[str]] | None = None) -> list[Claim]:
    """All claims of a folder's ``*.yaml`` files, variants included, by figure, then in file order.

    ``own``: experiment -> optimizers of the user's own, each put in the place of every claim's treatment.

    Raises:
        UserError: unreadable YAML, a repeated key or id, a key, statistic, option or comparator that is not
            allowed; the message names the file, the claim and what is allowed.
    """
    validator = Draft202012Validator(read_yaml(schema))
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise UserError(f"no claim files (*.yaml) in {folder}")
    claims: list[Claim] = []
    for path in files:
        document = read_yaml(path)
        if error := next(
            iter(sorted(validator.iter_errors(document), key=lambda e: list(map(str, e.absolute_path)))), None
        ):
            raise UserError(f"{_place(error, document, path)}: {_message(error)}")
        for raw in document["claims"]:
            try:
                claims += _claim(raw, document["experiment"], (own or {}).get(document["experiment"], ()))
            except UserError as error:
                raise UserError(f"{path}, claim {raw['id']}: {error}") from None
    ids = [claim.id for claim in claims]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        raise UserError(f"{folder}: claim ids {repeated} are used more than once")
    return sorted(claims, key=lambda claim: claim.figure)
