"""Claims as records: ``claims/<family>.yaml`` read and checked before anything runs, variants expanded.

A file is a list of experiments. What stands beside ``experiment`` (``figure``, ``paper_ref``, ``scales`` ...) holds for
all of its ``claims`` that do not say otherwise. Thresholds are part of the record: they are fixed before the results
are seen, and a change to one is a change in git.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from muon_imbalance.analysis.claims.claim import Claim, Name
from muon_imbalance.analysis.statistics import protocol
from muon_imbalance.common import yaml_files
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings, checked, explain

AUDIT = "audit.yaml"
"""The file of the folder that holds no claims (:mod:`.audit`)."""


class Family(Settings):
    """One experiment of a file: its name, what its claims share, and the claims."""

    experiment: Name = Field(description="The experiment whose runs the claims are judged on.")
    claims: list[dict[str, Any]] = Field(min_length=1, description="The statements, in the order of the report.")


SHARED = tuple(key for key in Claim.model_fields if key not in ("id", "experiment", "statement", "checks", "family"))
"""Keys of a claim that may stand beside ``experiment``, for all claims of the list."""


def _expanded(checks: Any) -> tuple[Any, list[int]]:
    """Checks with one comparison each, where ``needed`` is a list, and the position that each stands at."""
    if not isinstance(checks, list):
        return checks, []
    found = [
        (check | {"needed": one} if isinstance(check, dict) else check, position)
        for position, check in enumerate(checks)
        for one in (_needs(check))
    ]
    return [check for check, _ in found], [position for _, position in found]


def _needs(check: Any) -> list:
    needed = check.get("needed") if isinstance(check, dict) else None
    return needed if isinstance(needed, list) and needed else [needed]


def _read(path: Path) -> Iterator[tuple[Claim, str]]:
    """Claims of a file, each with its place (file and line)."""
    root = yaml_files.read(path, top=list)
    if not root.value:
        raise UserError(f"{path}: allowed: a list of experiments, each with the keys experiment and claims")
    for number, block in enumerate(root.plain()):
        where = root.value[number].place
        if not isinstance(block, dict):
            raise UserError(f"{where}: {block!r} is no experiment; allowed: a map of experiment, claims")
        if unknown := sorted(set(block) - {"experiment", "claims", *SHARED}):
            raise UserError(f"{where}: unknown key {unknown[0]!r}; allowed: experiment, claims, {', '.join(SHARED)}")
        shared = {key: value for key, value in block.items() if key in SHARED}
        family = checked(Family, {key: block[key] for key in ("experiment", "claims") if key in block}, where)
        for position, raw in enumerate(family.claims):
            place = (number, "claims", position)
            called = f"claim {raw.get('id', f'number {position + 1}')}"
            if "experiment" in raw:
                at = root.nearest(*place, "experiment").place
                raise UserError(f"{at}, {called}: the experiment stands above the list of claims")
            checks, origins = _expanded(raw.get("checks", shared.get("checks")))
            try:
                claim = Claim.model_validate(shared | raw | {"checks": checks, "experiment": family.experiment})
            except ValidationError as error:
                first = min(error.errors(), key=lambda one: (one["type"] != "extra_forbidden", len(one["loc"])))
                loc = first["loc"]
                if len(loc) > 1 and loc[0] == "checks":
                    loc = ("checks", origins[loc[1]], *loc[2:])
                inside = loc and loc[0] not in raw and loc[0] in shared
                at = root.nearest(*((number, *loc) if inside else (*place, *loc))).place
                said = re.sub(r"^[.: ]+", "", explain(error, Claim, ""))
                raise UserError(f"{at}, {called}: {said}") from None
            yield claim, root.nearest(*place).place


def read_all(folder: Path, own: Mapping[str, Sequence[str]] | None = None) -> list[Claim]:
    """All claims of a folder's families, variants included, by figure, then in the order of files.

    Args:
        own: experiment -> optimizers of the user's, each put in the place of every claim's treatment.

    Raises:
        UserError: unreadable YAML, a key given twice, an id used twice, a key, statistic, option or comparison that is
            not allowed; the message names file, line and claim, and what is allowed.
    """
    files = [path for path in sorted(Path(folder).glob("*.yaml")) if path.name != AUDIT]
    if not files:
        raise UserError(f"no claim files (*.yaml) in {folder}")
    places: dict[str, str] = {}
    claims: list[Claim] = []
    for claim, place in (found for path in files for found in _read(path)):
        claim = claim.model_copy(update={"family": Path(place.partition(":")[0]).stem})
        for one in claim.expanded((own or {}).get(claim.experiment, ())):
            if one.id in places:
                raise UserError(f"{place}, claim {one.id}: the id is used already in {places[one.id]}")
            places[one.id] = place
            claims.append(one)
    return sorted(claims, key=lambda claim: claim.figure)


def check_names(claims: Sequence[Claim], experiments: Collection[str], figures: Collection[str]) -> None:
    """What claims judge and illustrate is part of the configuration.

    Raises:
        UserError: an experiment or figure is not; the message names the claim and what there is.
    """
    for claim in claims:
        named = [("experiment", name, experiments) for name in claim.experiments]
        for noun, name, known in (*named, ("figure", claim.figure, figures)):
            if name not in known:
                raise UserError(f"claim {claim.id}: {noun} {name!r} is unknown; allowed: {', '.join(sorted(known))}")


def schema() -> dict[str, Any]:
    """JSON Schema of a claim file, for editors; statistics with their options included."""
    claim = Claim.model_json_schema(ref_template="#/$defs/{model}")
    defs = claim.pop("$defs")
    measures = []
    for name, statistic in protocol.statistics().items():
        found = statistic.Options.model_json_schema()
        found["properties"] = {"statistic": {"const": name}} | found.get("properties", {})
        measures.append(found | {"required": ["statistic", *found.get("required", [])]})
    properties = defs["Check"]["properties"]
    properties["measure"] = {"oneOf": measures}
    several = {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": properties["needed"]["pattern"]}}
    properties["needed"] = {"anyOf": [properties["needed"], several]}
    properties = claim["properties"]
    properties.pop("family")
    experiment = properties.pop("experiment")
    claim["required"] = ["id", "statement", "checks"]
    defs["Claim"] = claim
    family = {
        "type": "object",
        "additionalProperties": False,
        "required": ["experiment", "claims"],
        "properties": {"experiment": experiment, **{key: properties[key] for key in SHARED}}
        | {"claims": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Claim"}}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Claims",
        "description": " ".join((__doc__ or "").split()),
        "type": "array",
        "items": family,
        "$defs": defs,
    }
