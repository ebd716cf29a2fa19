"""The audit: where the paper's statements need a condition, a control or a correction, read and cross-checked.

Entries name figures and claims; verdicts are not written in them but looked up when the page is made.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from muon_imbalance.common.errors import UserError

PARTS = {
    "theory": "Theorems, propositions and conditions",
    "experiments": "Experiments",
    "text": "Text and notation",
}
"""Parts of the page, in its order."""


def read(path: str | Path, schema: str | Path = "workflow/schemas/audit.schema.yaml") -> dict:
    """``preface`` and ``entries`` of the audit file.

    Raises:
        UserError: unreadable, against the schema, or an id used twice; the message names the entry.
    """
    try:
        content, rules = (
            yaml.load(Path(file).read_text(encoding="utf-8"), yaml.CSafeLoader) for file in (path, schema)
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    errors = sorted(Draft202012Validator(rules).iter_errors(content), key=lambda error: list(map(str, error.path)))
    for error in errors:
        where = list(error.absolute_path)
        if len(where) > 1:
            entry = content["entries"][where[1]]
            name = entry.get("id") if isinstance(entry, dict) else None
            where = [f"entry {name or f'number {where[1] + 1}'}", *where[2:]]
        raise UserError(f"{path}: {'.'.join(map(str, where)) or 'file'}: {error.message}")
    ids = [entry["id"] for entry in content["entries"]]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        raise UserError(f"{path}: entry {', '.join(repeated)} is there more than once")
    return content


def matching(reference: str, ids: Iterable[str]) -> list[str]:
    """Ids that a reference means: itself, or with a ``*`` at its end all that begin so."""
    if reference.endswith("*"):
        return [name for name in ids if name.startswith(reference[:-1])]
    return [name for name in ids if name == reference]


def check_references(content: Mapping, claims: Collection[str], figures: Collection[str]) -> None:
    """Every claim that an entry names is stated.

    Not asked of a reference with ``*`` (it may stand for none) and of entries with a figure that is not in
    the configuration: its claims may not be there either.

    Raises:
        UserError: naming the entry and the claim.
    """
    for entry in content["entries"]:
        if not set(entry["figures"]) <= set(figures):
            continue
        for reference in entry["claims"]:
            if not reference.endswith("*") and not matching(reference, claims):
                raise UserError(
                    f"audit: entry {entry['id']} names the claim {reference!r}, which claims/ does not state"
                )
