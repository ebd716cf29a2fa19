"""JSON on a stage's command line."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError


def as_json(option: str, *kinds: type) -> partial:
    """``type=`` of an argparse option that takes JSON (an object unless ``kinds`` say otherwise)."""
    return partial(json_argument, option=option, kinds=kinds or (dict,))


def json_argument(text: str, option: str, kinds: tuple[type, ...] = (dict,)) -> Any:
    """The value of ``option``, JSON as text or as ``@file``.

    Raises:
        UserError: it cannot be read, holds NaN or an infinity, or is of another type than ``kinds``.
    """
    try:
        given = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        value = json.loads(given, parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise UserError(f"{option} is not JSON: {error}") from None
    if not isinstance(value, kinds):
        shown = repr(value)[:80]
        raise UserError(f"{option} is {shown}; it must be a JSON {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
