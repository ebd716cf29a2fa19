"""What can be set, written from the declarations themselves: JSON Schemas for editors and docs/configuration.md.

``python -m muon_imbalance.plan.reference`` writes workflow/schemas/*.json and docs/configuration.md.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from muon_imbalance.analysis.claims import claim_records
from muon_imbalance.common.discovery import Room
from muon_imbalance.common.files import write_text
from muon_imbalance.common.settings import Settings, described
from muon_imbalance.optimizers import registry as rules
from muon_imbalance.plan import entries, families, records, rooms
from muon_imbalance.reporting.notebooks import notebook_file

PAGE = "docs/configuration.md"
SCHEMAS = "workflow/schemas"
PROTOCOLS = (records.Chunked, records.Minibatch, records.Experiment)


def options(room: Room) -> dict[str, type[Settings]]:
    """Settings class of each module of a room."""
    return {name: room.options(name) for name in room.names()}


def figure_options(root: Path) -> dict[str, type[Settings]]:
    """Settings class of each notebook."""
    return {path.stem: notebook_file.options(path) for path in sorted((root / "notebooks").glob("*.ipynb"))}


# JSON Schema


class Loose(GenerateJsonSchema):
    """Schemas for a file that may leave keys to other files, or take any key away with null."""

    def generate(self, schema, mode="validation"):
        """The schema without titles and ``required``; an unknown key may only be taken away."""
        found = super().generate(schema, mode)
        for one in (found, *found.get("$defs", {}).values()):
            one.pop("title", None)
            if one.get("additionalProperties") is False:
                one["additionalProperties"] = {"type": "null"}
        return found

    def field_title_should_be_set(self, schema) -> bool:
        return False

    def field_is_required(self, field, total) -> bool:
        return False

    def default_schema(self, schema):
        return self.generate_inner(schema["schema"])

    def model_field_schema(self, schema):
        return self.nullable_schema(schema)

    def dict_schema(self, schema):
        found = super().dict_schema(schema)
        if isinstance(found.get("additionalProperties"), dict):
            found["additionalProperties"] = {"anyOf": [found["additionalProperties"], {"type": "null"}]}
        return found


def _schema(kind: type[Settings], shared: dict[str, Any]) -> dict[str, Any]:
    """Schema of a settings class; what it refers to goes into ``shared``."""
    found = kind.model_json_schema(ref_template="#/$defs/{model}", schema_generator=Loose)
    shared |= found.pop("$defs", {})
    return found


def _by(key: str, choices: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Schemas by the word that stands at ``key``."""
    return [
        {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": one} for name, one in choices.items()
    ]


def _entries(entry: dict[str, Any], shared: dict[str, Any], name: str) -> dict[str, Any]:
    """Entries by name, each with ``like``, ``scales`` and ``origin``."""
    origin = {"enum": list(entries.ORIGINS)}
    shared[name] = entry
    shared[name]["properties"] |= {
        "like": {"type": "string", "description": "start from this entry, its scales included"},
        "scales": {"type": "object", "additionalProperties": {"$ref": f"#/$defs/{name}"},
                   "description": f"what differs at a scale: {', '.join(entries.SCALES)}"},
        "origin": {"type": "object", "description": "where values come from, by their dotted place in the entry",
                   "additionalProperties": {"anyOf": [origin, {"type": "object", "additionalProperties": origin}]}},
    }  # fmt: skip
    return {"type": "object", "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}}


def experiments_schema() -> dict[str, Any]:
    """Schema of experiments/<family>.yaml."""
    shared: dict[str, Any] = {}
    dataset = _schema(records.Dataset, shared)
    configs = {name: {"properties": {"config": _schema(one, shared)}} for name, one in options(rooms.BUILDERS).items()}
    dataset["allOf"] = _by("builder", configs)
    experiment = _schema(records.Chunked, shared)
    for kind in (*PROTOCOLS, *options(rooms.TASKS).values()):
        experiment["properties"] = _schema(kind, shared)["properties"] | experiment["properties"]
    for free in ("variants", "model", "record", "metrics", "theory"):
        experiment["properties"][free] = {"description": experiment["properties"].get(free, {}).get("description", "")}
    models = {name: _schema(one, shared) for name, one in options(rooms.MODELS).items()}
    for one in models.values():
        one["properties"]["name"] = {"type": "string"}
    experiment["properties"]["model"] |= {
        "description": "the network: its name, and what it reads",
        "anyOf": [{"type": "null"}, {"type": "object", "allOf": _by("name", models)}],
    }
    experiment["properties"]["task"] = {"enum": [*rooms.TASKS.names(), "theory"], "description": "what is trained"}
    card = _schema(records.CardExperiment, shared)
    parts = {
        "datasets": _entries(dataset, shared, "dataset"),
        "experiments": _entries(experiment, shared, "experiment"),
        "figures": _entries(_schema(records.Figure, shared), shared, "figure"),
        "card": {"type": "object", "properties": {"experiments": _entries(card, shared, "card")}},
    }
    return _document("Settings of one family of experiments", parts, shared)


def config_schema() -> dict[str, Any]:
    """Schema of config.yaml and of a user's own file, which may set the parts of all families as well."""
    shared: dict[str, Any] = {}
    run = _schema(records.Configuration, shared)["properties"]
    optimizer = _schema(records.Optimizer, shared)
    optimizer["properties"]["class"] = optimizer["properties"].pop("torch_class")
    optimizer["properties"]["rule"] |= {"anyOf": [{"enum": rules.names()}, {"type": "null"}]}
    optimizer["additionalProperties"] = {"type": "array", "items": {"type": "string"}}  # a default grid
    families_ = experiments_schema()
    shared |= families_["$defs"]
    parts = run | families_["properties"] | {"optimizers": _entries(optimizer, shared, "optimizer")}
    parts["card"] = _schema(records.Card, shared)
    parts["card"]["properties"]["order"] = {"description": "order of its experiments", "type": "array"}
    parts["scales"] = {"type": "object", "description": "what differs at a scale"}
    return _document("Settings of a whole run", parts, shared)


def _document(title: str, properties: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "type": "object",
            "properties": properties, "additionalProperties": False, "$defs": shared}  # fmt: skip


# docs/configuration.md


def table(kind: type[Settings]) -> str:
    """Keys of a settings class: what is allowed, the default, the meaning."""
    rows = ["| key | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        default = "needed" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        rows.append(f"| `{name}` | {_cell(described(field))} | {default} | {_cell(field.description or '')} |")
    return "\n".join(rows) if kind.model_fields else "No keys."


def _shown(value: Any) -> str:
    if isinstance(value, Settings):
        return f"`{value.model_dump()}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "" if value in ("", None) or value == {} else f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def page(root: Path) -> str:
    """The text of docs/configuration.md."""
    parts = [HEAD, "## A whole run: config.yaml", table(records.Configuration), "### optimizers",
             "Any key besides these is a list of values: a default grid.", table(records.Optimizer),
             "### card", table(records.Card), table(records.CardExperiment),
             "## A family: experiments/<family>.yaml", "### datasets", table(records.Dataset), "### experiments",
             "Protocol of tasks that train on all samples at once:", table(records.Chunked),
             "Protocol of tasks that train on minibatches:", table(records.Minibatch),
             "Changes of a variant:", table(records.Variant), "Selection:", table(records.Selection),
             "### figures", table(records.Figure)]  # fmt: skip
    rooms_ = {"Tasks": options(rooms.TASKS), "Models": options(rooms.MODELS),
              "Data set builders": options(rooms.BUILDERS),
              "Update rules": {name: rules.options(name) for name in rules.names()},
              "Tables of closed forms": options(rooms.TABLES), "Figures": figure_options(root)}  # fmt: skip
    for title, kinds in rooms_.items():
        parts.append(f"## {title}")
        for name, kind in kinds.items():
            first = (kind.__doc__ or "").strip().split("\n")[0]
            parts += [f"### {name}", *([first] if first and not first.startswith("Usage docs") else []), table(kind)]
    return "\n\n".join([*parts, "## Where the values come from", ORIGINS, origins(root)]) + "\n"


def origins(root: Path) -> str:
    """Every setting whose origin is stated, with its origin at each scale."""
    at = {scale: families.load(root, {"scale": scale}).origins for scale in entries.SCALES}
    rows = [f"| setting | {' | '.join(entries.SCALES)} |", "| --- " * (1 + len(entries.SCALES)) + "|"]
    for place in sorted({place for found in at.values() for place in found}):
        rows.append(f"| `{place}` | {' | '.join(at[scale].get(place, '') for scale in entries.SCALES)} |")
    return "\n".join(rows)


HEAD = """# Configuration

<!-- Written by `python -m muon_imbalance.plan.reference` from the declarations in the code; do not edit. -->

Every setting is declared once, beside the code that reads it, with its range, its default and its meaning; this page,
the check before a run and the JSON Schemas that editors use follow from those declarations. What a run is made of
stands in `config.yaml` (the whole run) and `experiments/<family>.yaml` (data sets, experiments and figures, all scales
side by side). `--configfile my.yaml` and `--config key=value` are laid over them and may set anything; null takes a key
away.

An entry may say `like: other` (start from another entry of its kind), `scales: {smoke: ..., paper: ...}` (what differs
there) and `origin:` (where its values come from). Variants that are products: `variants: {product: [{...}, {...}]}`."""
ORIGINS = (
    """`paper`: its text says so; `source`: the work that the paper builds on; `chosen`: ours, because neither says."""
)


def files(root: Path) -> dict[Path, str]:
    """Everything that is generated: path -> text."""
    schemas = {"config": config_schema(), "experiments": experiments_schema(), "claims": claim_records.schema()}
    written = {root / SCHEMAS / f"{name}.schema.json": json.dumps(one) + "\n" for name, one in schemas.items()}
    return written | {root / PAGE: page(root)}


def stale(root: Path) -> list[str]:
    """Generated files that differ from what the declarations give."""
    return [
        str(path.relative_to(root))
        for path, text in files(root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> None:
    for path, text in files(Path.cwd()).items():
        write_text(path, text)


if __name__ == "__main__":
    main()
