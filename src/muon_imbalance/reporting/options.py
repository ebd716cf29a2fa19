"""JSON in command-line options."""

import json
from pathlib import Path

from muon_imbalance.common.errors import UserError


def read_json(text: str, option: str) -> dict:
    """The JSON object given with an option, as text or as ``@file``.

    Raises:
        UserError: it cannot be read or is no object.
    """
    try:
        value = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{option}: not a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{option}: a JSON object is needed, not {type(value).__name__}")
    return value
