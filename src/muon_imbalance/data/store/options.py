"""Checked access to a dataset's config; every refusal names the key, the value and what is allowed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import manifest


def refuse(owner: str, key: str, value: Any, allowed: str) -> UserError:
    """The error for one value: ``colored_mnist: correlation = 1.5; allowed: ...``."""
    return UserError(f"{owner}: {key} = {value!r}; allowed: {allowed}")


class Options:
    """A config laid over its defaults.

    Args:
        owner: dataset named in messages.
        config: values given by the user.
        defaults: all keys there are, with their values.

    Raises:
        UserError: ``config`` has a key that ``defaults`` has not.
    """

    def __init__(self, owner: str, config: Mapping[str, Any], defaults: Mapping[str, Any]):
        self.owner = owner
        unknown = sorted(set(config) - set(defaults))
        if unknown:
            raise refuse(owner, unknown[0], config[unknown[0]], f"the keys {', '.join(sorted(defaults))}")
        self.values = {**defaults, **config}

    def refuse(self, key: str, allowed: str) -> UserError:
        """The error for the value of ``key``."""
        return refuse(self.owner, key, self.values[key], allowed)

    def integer(self, key: str, low: int) -> int:
        """A whole number of at least ``low``."""
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise self.refuse(key, f"a whole number from {low}")
        return value

    def number(self, key: str, low: float, high: float = float("inf"), open_low: bool = False) -> float:
        """A finite number in ``[low, high]`` (``(low, high]`` with ``open_low``)."""
        value = self.values[key]
        below = "above" if open_low else "from"
        allowed = f"a number {below} {low:g}" + (f" to {high:g}" if high != float("inf") else "")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(key, allowed)
        if not low <= value <= high or value == float("inf") or (open_low and value == low):
            raise self.refuse(key, allowed)
        return float(value)

    def digits(self, sources: Mapping[str, Path]) -> tuple[Path, dict]:
        """Folder and manifest of the 28 x 28 digits that ``parent`` names among ``sources``."""
        name = self.text("parent")
        if name not in sources:
            raise self.refuse("parent", ", ".join(sorted(sources)) or "a dataset given as an input")
        above = manifest.read(sources[name])
        if above["builder"] != "mnist":
            raise self.refuse("parent", "a dataset of 28 x 28 digits (builder mnist)")
        return sources[name], above

    def choice(self, key: str, allowed: Sequence[Any]) -> Any:
        """One of ``allowed``."""
        value = self.values[key]
        if isinstance(value, bool) or value not in allowed:
            raise self.refuse(key, ", ".join(str(item) for item in allowed))
        return value

    def flag(self, key: str) -> bool:
        """``true`` or ``false``."""
        if not isinstance(self.values[key], bool):
            raise self.refuse(key, "true, false")
        return self.values[key]

    def text(self, key: str) -> str:
        """Any non-empty text."""
        if not isinstance(self.values[key], str) or not self.values[key]:
            raise self.refuse(key, "a name")
        return self.values[key]


def check_request(owner: str, split: str, splits: Sequence[str], repetitions: Sequence[int], count: int) -> None:
    """Refuse a split or repetitions that a dataset does not hold."""
    if split not in splits:
        raise refuse(owner, "split", split, ", ".join(splits))
    wrong = [r for r in repetitions if not 0 <= r < count]
    if wrong or not len(repetitions):
        raise refuse(owner, "repetitions", list(repetitions), f"one or more of 0 to {count - 1}")
