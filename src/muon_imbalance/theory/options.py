"""Checked access to the options of closed forms."""

from collections.abc import Mapping
from typing import Any

from muon_imbalance.common.errors import UserError


def take(
    options: Any,
    keys: tuple[str, ...],
    optional: Mapping[str, Any] | None = None,
    *,
    named: str = "the options are",
    prefix: str = "",
) -> dict[str, Any]:
    """The options, which must have exactly these keys (``optional`` ones have defaults).

    Raises:
        UserError: no mapping (``named`` begins the message), or a key that is unknown or missing (after ``prefix``).
    """
    optional = dict(optional or {})
    allowed = (*keys, *optional)
    if not isinstance(options, Mapping):
        raise UserError(f"{named} {options!r}; allowed: a mapping with the keys {', '.join(allowed)}")
    for key in options:
        if key not in allowed:
            raise UserError(f"{prefix}{key} is unknown; allowed keys: {', '.join(allowed)}")
    for key in keys:
        if key not in options:
            raise UserError(f"{prefix}{key} is missing; needed keys: {', '.join(keys)}")
    return optional | dict(options)
