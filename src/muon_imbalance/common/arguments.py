"""JSON on a stage's command line."""

import json

from muon_imbalance.common.errors import UserError


def json_argument(text: str, option: str, kinds: tuple[type, ...] = (dict,)):
    """The value of ``option``; :class:`UserError` unless it is JSON of one of these types."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{option} is not JSON: {error}") from None
    if not isinstance(value, kinds):
        raise UserError(f"{option} is {value!r}; it must be a JSON {' or '.join(kind.__name__ for kind in kinds)}")
    return value
