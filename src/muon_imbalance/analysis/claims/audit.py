"""The audit: where the paper's statements need a condition, a control or a correction, read and cross-checked.

Entries name figures and claims; verdicts are not written in them but looked up when the page is made.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, StringConstraints

from muon_imbalance.common import yaml_files
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings, checked

PARTS = {
    "theory": "Theorems, propositions and conditions",
    "experiments": "Experiments",
    "text": "Text and notation",
}
"""Parts of the page, in its order."""


Figure = Annotated[str, StringConstraints(pattern=r"^(fig_[0-9]{2}|fig_s[0-9]+|tab_[0-9]+)$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9._]*(@[a-z0-9_]+)?[*]?$")]


def _distinct(values: list[str]) -> list[str]:
    if repeated := next((value for value in values if values.count(value) > 1), None):
        raise ValueError(f"{repeated!r} stands there more than once")
    return values


Distinct = AfterValidator(_distinct)
"""In a list no value stands twice."""


class Entry(Settings):
    """One point of the audit."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] = Field(description="Anchor on the page.")
    part: Literal["theory", "experiments", "text"] = Field(description="Which part of the page it stands in.")
    title: str = Field(min_length=5, max_length=120, description="The point in one line.")
    paper: str = Field(min_length=10, description="What the paper says.")
    where: str = Field(min_length=2, description="Where it says so (figure, section, theorem).")
    finding: str = Field(min_length=10, description="What we find.")
    figures: Annotated[list[Figure], Distinct] = Field(
        description="Figures that show it; one that is not configured gets no link."
    )
    claims: Annotated[list[Reference], Distinct] = Field(
        description="Claims whose verdicts belong to it; with a * at its end an id stands for all that begin so."
    )


class Audit(Settings):
    """Where the paper's statements need a condition, a control or a correction; the report's page "Audit"."""

    preface: str = Field(min_length=20, description="What a reader should know before the entries.")
    entries: list[Entry] = Field(min_length=1, description="The entries, in the order of the page within their part.")


def read(path: str | Path) -> dict[str, Any]:
    """``preface`` and ``entries`` of the audit file.

    Raises:
        UserError: unreadable, not an :class:`Audit`, or an id used twice; the message names file, line and entry.
    """
    path = Path(path)
    root = yaml_files.read(path)
    content = root.plain()
    if isinstance(content.get("entries"), list):
        for number, entry in enumerate(content["entries"]):
            name = entry.get("id", f"number {number + 1}") if isinstance(entry, dict) else f"number {number + 1}"
            checked(Entry, entry, f"{root.nearest('entries', number).place}, entry {name}")
    found = checked(Audit, content, str(path)).model_dump()
    ids = [entry["id"] for entry in found["entries"]]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        raise UserError(f"{path}: entry {', '.join(repeated)} is there more than once")
    return found


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
