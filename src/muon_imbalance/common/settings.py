"""Typed settings: what a part of the project can be told, declared once beside the code that reads it.

    class Options(Settings):
        bits: int = Field(10, ge=1, le=16, description="bits of the barcode")

From such a class follow the check before anything runs (:func:`checked`), the JSON Schema, editor completion and
docs/configuration.md. Whole numbers written as floats, NaN, infinities and unknown keys are refused. The module that
declares it may import torch: :mod:`muon_imbalance.common.discovery` reads the class from the source text.
"""

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from muon_imbalance.common.errors import UserError

__all__ = ["Field", "Settings", "checked", "described", "explain"]


class Settings(BaseModel):
    """Base of all declared options; a value is what its annotation says, without conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _whole(cls, value: Any, info: ValidationInfo) -> Any:
        """``Literal[14]`` is not 14.0, which Python holds to be the same."""
        kind = cls.model_fields[info.field_name].annotation
        kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
        kinds = [get_args(one)[0] if get_origin(one) is Annotated else one for one in kinds]
        if isinstance(value, float) and float not in kinds and any(get_origin(one) is Literal for one in kinds):
            raise PydanticCustomError("literal_error", "not one of the values")
        return value


Kind = TypeVar("Kind", bound=Settings)


def checked(kind: type[Kind], given: Mapping[str, Any], where: str) -> Kind:
    """``given`` as ``kind``, with defaults filled in.

    Args:
        where: dotted place of ``given`` in the configuration, such as ``datasets.colored_mnist.config``.

    Raises:
        UserError: in one sentence, the first key that is wrong, its value, and what is allowed.
    """
    if not isinstance(given, Mapping):
        raise UserError(f"{where} = {given!r}; allowed: a map of {', '.join(kind.model_fields)}")
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        raise UserError(explain(error, kind, where)) from None


def explain(error: ValidationError, kind: type[Settings], where: str) -> str:
    """The first mistake in one sentence: place, value, and what is allowed."""
    first = min(error.errors(), key=lambda one: (one["type"] != "extra_forbidden", len(one["loc"])))
    owner, path, in_map = kind, [], False
    for part in first["loc"]:  # names, positions in lists, and what pydantic adds to name a branch of a union
        if isinstance(part, int) or in_map:
            path.append(str(part))
            in_map = False
        elif part in owner.model_fields or first["type"] in ("extra_forbidden", "missing") and part == first["loc"][-1]:
            path.append(part)
            field = owner.model_fields.get(part)
            inner = next(iter(_models(field.annotation)), None) if field else None
            in_map = bool(field) and dict in map(get_origin, (field.annotation, *get_args(field.annotation)))
            owner, holder = inner or owner, owner
    place = ".".join([where, *path])
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(owner.model_fields)) or "no key"
        return f"{'.'.join([where, *path[:-1]])}: unknown key {path[-1]!r}; allowed: {known}"
    if first["type"] == "missing" and isinstance(first["loc"][-1], str):
        return f"{'.'.join([where, *path[:-1]])}: key {path[-1]!r} is missing"
    if first["type"] == "value_error":  # a validator of the class itself, which says what is allowed
        return f"{place}: {first['ctx']['error']}"
    name = next((part for part in reversed(path) if part in holder.model_fields), None)
    allowed = described(holder.model_fields[name]) if name else f"a map of {', '.join(kind.model_fields)}"
    return f"{place} = {first['input']!r}; allowed: {allowed}"


NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", dict: "a map", list: "a list"}
LIMITS = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")


def described(field: FieldInfo) -> str:
    """What a field allows, in words: ``a whole number from 1 to 16``."""
    return _words(field.annotation, field.metadata)


def _words(kind: Any, metadata: Sequence[Any] = ()) -> str:
    """An annotation in words, with its limits."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _words(inner[0], (*inner[1:], *metadata))
    if origin in (Union, UnionType):
        return " or ".join(_words(one, metadata) for one in inner)
    if origin is Literal:
        return ", ".join(str(one) for one in inner)
    if kind is None or kind is NoneType:
        return "null"
    if isinstance(kind, type) and issubclass(kind, Settings):
        return f"a map of {', '.join(kind.model_fields)}"
    parts = [part for one in metadata for part in (one.metadata if isinstance(one, FieldInfo) else [one])]
    limits = {key: value for one in parts for key in LIMITS if (value := getattr(one, key, None)) is not None}
    if origin is list:
        least, most = limits.get("min_length"), limits.get("max_length")
        bound = "at least " if most != least else ""
        few = f" with {bound}{least} entr{'y' if least == 1 else 'ies'}" if least else ""
        return f"a list of {_plural(_words(inner[0]))}{few}"
    if origin is tuple:
        return f"a list of {len(inner)}: {', '.join(_words(one) for one in inner)}"
    if origin is dict:
        return "a map" + ("" if inner[1] is Any else f" of names to {_plural(_words(inner[1]))}")
    if "pattern" in limits:
        return f"text of the form {limits['pattern']}"
    words = NAMES.get(kind, getattr(kind, "__name__", str(kind)))
    low = f" from {limits['ge']:g}" if "ge" in limits else f" above {limits['gt']:g}" if "gt" in limits else ""
    high = f" to {limits['le']:g}" if "le" in limits else f" below {limits['lt']:g}" if "lt" in limits else ""
    steps = f", a multiple of {limits['multiple_of']:g}" if "multiple_of" in limits else ""
    return words + low + (high if low or "lt" in limits else high.replace(" to ", " up to ")) + steps


def _plural(words: str) -> str:
    """``a whole number from 1`` -> ``whole numbers from 1``."""
    for single in ("a whole number", "a number", "a list", "a map"):
        if words.startswith(single):
            return single[2:] + "s" + words[len(single) :]
    return words


def _models(annotation: Any) -> list[type[Settings]]:
    """Settings classes within an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]
