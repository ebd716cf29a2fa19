"""Two runs' claims side by side: verdicts that differ, numbers that differ, claims that one of them lacks."""

from dataclasses import dataclass
from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json

NUMBERS = ("n", "estimate", "ci_low", "ci_high")
KEYS = ("verdict", *NUMBERS, "note")


@dataclass(frozen=True)
class Difference:
    """One claim that is not the same in both: the keys that differ, with both values; none if one lacks the claim."""

    id: str
    values: dict[str, tuple]
    only: str = ""

    @property
    def decides(self) -> bool:
        """Whether the verdict differs, or one of the two lacks the claim."""
        return bool(self.only) or "verdict" in self.values

    def __str__(self) -> str:
        if self.only:
            return f"{self.id}: only in the {self.only}"
        return f"{self.id}: " + "; ".join(f"{key} {a!r} -> {b!r}" for key, (a, b) in self.values.items())


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


def compare(first: dict[str, dict], second: dict[str, dict]) -> list[Difference]:
    """Every claim that differs, in the order of the first, then those that only the second has."""
    found = []
    for name in dict.fromkeys([*first, *second]):
        if name not in first or name not in second:
            found.append(Difference(name, {}, "first" if name in first else "second"))
            continue
        one, other = first[name], second[name]
        if values := {key: (one[key], other[key]) for key in KEYS if one[key] != other[key]}:
            found.append(Difference(name, values))
    return found


def report(first: dict[str, dict], second: dict[str, dict]) -> tuple[str, bool]:
    """The comparison in words, and whether every verdict is the same."""
    found = compare(first, second)
    verdicts = [one for one in found if one.decides]
    numbers = [one for one in found if not one.decides and set(one.values) & set(NUMBERS)]
    notes = [one for one in found if not one.decides and set(one.values) == {"note"}]
    lines = []
    for title, group in (("verdicts", verdicts), ("numbers", numbers), ("notes alone", notes)):
        lines += [f"{title} that differ: {len(group)}", *(f"  {one}" for one in group)]
    equal = len(first) - sum(one.id in first for one in found)
    lines.append(f"claims compared: {len(set(first) & set(second))}, equal in all: {equal}")
    return "\n".join(lines), not verdicts
