"""Swept hyperparameters as text: ``"0.003"``, or a pair such as ``"0.9,0.999"``; text stays the same in every table."""

from muon_imbalance.common.errors import UserError


def numbers(token: str) -> tuple[float, ...]:
    """The numbers of a token: ``"0.9,0.999"`` is (0.9, 0.999)."""
    return tuple(float(part) for part in token.split(","))


def is_whole(default: object) -> bool:
    """True for the default of a hyperparameter that takes whole numbers."""
    return isinstance(default, int) and not isinstance(default, bool)


def value(key: str, token: str, default: object = None) -> float | int | tuple[float, ...]:
    """What a hyperparameter with this default is given: a number, a whole number, or a tuple for a tuple.

    Raises:
        UserError: the default is a word or a truth value, or has another number of entries than the token.
    """
    found = numbers(token)
    wanted = len(default) if isinstance(default, tuple | list) else 1
    if isinstance(default, bool | str):
        raise UserError(f"{key}: {token!r} is a number, but {key} is {default!r} by default; set it under 'hyper'")
    if default is not None and len(found) != wanted:
        allowed = "one number" if wanted == 1 else f"{wanted} numbers with commas between them"
        raise UserError(f"{key}: {token!r} is not allowed; allowed: {allowed}, as in the default {default!r}")
    if len(found) > 1 or isinstance(default, tuple | list):
        return found
    if is_whole(default) and token.isdigit():
        return int(token)
    return found[0]
