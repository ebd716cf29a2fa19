"""Two runs' claims side by side: verdicts that differ, estimates outside each other's intervals, other numbers."""

from dataclasses import dataclass
from pathlib import Path

from muon_imbalance.analysis.claims.comparators import ABSENT, FAILS, HOLDS
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json

NUMBERS = ("n", "estimate", "ci_low", "ci_high")
KEYS = ("verdict", *NUMBERS, "note")
DECIDED = {HOLDS, FAILS, ABSENT}


@dataclass(frozen=True)
class Difference:
    """One claim that is not the same in both: the keys that differ, with both values; none if one lacks the claim."""

    id: str
    values: dict[str, tuple]
    only: str = ""
    apart: bool = False

    @property
    def kind(self) -> str:
        """What weighs most in it, a key of :data:`TITLES`."""
        if set(self.values.get("verdict", ())) and set(self.values["verdict"]) <= DECIDED:
            return "turned"
        if self.only or "verdict" in self.values:
            return "verdict"
        return "apart" if self.apart else "numbers" if set(self.values) & set(NUMBERS) else "note"

    def __str__(self) -> str:
        if self.only:
            return f"{self.id}: only in the {self.only}"
        return f"{self.id}: " + "; ".join(f"{key} {a!r} -> {b!r}" for key, (a, b) in self.values.items())


TITLES = {
    "turned": "decided verdicts that turned around",
    "verdict": "other verdicts that differ",
    "apart": "estimates outside each other's intervals",
    "numbers": "other numbers that differ",
    "note": "notes alone that differ",
}
"""Kinds of differences, the gravest first."""


def read(path: Path) -> dict[str, dict]:
    """Records by id of a ``claims.json``, or of the results folder that holds one.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = Path(path)
    file = path / "claims.json" if path.is_dir() else path
    records = read_json(file, list, "judge the claims of that run first (target claims)")
    if not all(isinstance(record, dict) and {"id", *KEYS} <= set(record) for record in records):
        raise UserError(f"{file} holds something that is no judged claim (keys id, {', '.join(KEYS)})")
    return {record["id"]: record for record in records}


def _outside(one: dict, other: dict) -> bool:
    """Whether each estimate lies outside the other's interval."""
    if None in (one["estimate"], other["estimate"], one["ci_low"], other["ci_low"]):
        return False
    pairs = ((one, other), (other, one))
    return all(not (b["ci_low"] <= a["estimate"] <= b["ci_high"]) for a, b in pairs)


def compare(first: dict[str, dict], second: dict[str, dict]) -> list[Difference]:
    """Every claim that differs, in the order of the first, then those that only the second has."""
    found = []
    for name in dict.fromkeys([*first, *second]):
        if name not in first or name not in second:
            found.append(Difference(name, {}, "first" if name in first else "second"))
            continue
        one, other = first[name], second[name]
        if values := {key: (one[key], other[key]) for key in KEYS if one[key] != other[key]}:
            found.append(Difference(name, values, apart=_outside(one, other)))
    return found


def report(first: dict[str, dict], second: dict[str, dict]) -> tuple[str, bool]:
    """The comparison in words, and whether no decided verdict turned around."""
    found = compare(first, second)
    lines = []
    for kind, title in TITLES.items():
        group = [one for one in found if one.kind == kind]
        lines += [f"{title}: {len(group)}", *(f"  {one}" for one in group)]
    equal = len(first) - sum(one.id in first for one in found)
    lines.append(f"claims compared: {len(set(first) & set(second))}, equal in all: {equal}")
    return "\n".join(lines), not any(one.kind == "turned" for one in found)
