"""Hyperparameters with a model axis: one number for all models, or one per model."""

import inspect
import math
from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any, get_args, get_origin

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from torch import Tensor

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import described


class Hyper:
    """A hyperparameter: float64 values ``[1]`` or ``[S]``; called with a stacked tensor it is ``[S, 1, ...]``.

    One number and S equal numbers take the same arithmetic path, so a stack equals its models run one by one.
    """

    __slots__ = ("_cache", "_number", "key", "value")

    def __init__(self, value: Tensor, key: str = "a hyperparameter"):
        self.value, self.key = value, key
        self._cache: dict[tuple, Tensor] = {}
        self._number = value.item() if len(value) == 1 else None

    def __call__(self, like: Tensor) -> Tensor:
        """Shape ``[S, 1, ...]``, in the dtype and on the device of ``like [S, ...]``."""
        where = models, ndim, dtype, device = like.shape[0], like.ndim, like.dtype, like.device
        if where not in self._cache:
            value = self.value.repeat(models) if len(self.value) == 1 else self.value
            if len(value) != models:
                raise UserError(f"{self.key} has {len(value)} values, allowed: 1 or one per model, here {models}")
            self._cache[where] = value.to(device, dtype).reshape(-1, *[1] * (ndim - 1))
        return self._cache[where]

    def __mul__(self, other: "Hyper | float") -> "Hyper":
        return Hyper(self.value * (other.value if isinstance(other, Hyper) else other), self.key)

    def __truediv__(self, other: "Hyper | float") -> "Hyper":
        return Hyper(self.value / (other.value if isinstance(other, Hyper) else other), self.key)

    def __rsub__(self, other: float) -> "Hyper":
        return Hyper(other - self.value, self.key)

    def __pow__(self, exponent: int) -> "Hyper":
        return Hyper(self.value**exponent, self.key)

    def number(self) -> float:
        """The one value, for steps of a single model.

        Raises:
            UserError: there are several.
        """
        if self._number is None:
            raise UserError(f"{self.key} has {len(self.value)} values, allowed: 1 or one per model, here 1")
        return self._number

    def common(self) -> float | None:
        """The value that all models have, ``None`` where they differ."""
        if self._number is not None:
            return self._number
        values = set(self.value.tolist())
        return values.pop() if len(values) == 1 else None

    def is_zero(self) -> bool:
        """True when it is 0 for every model, so that its term can be left out."""
        return not self.value.any()


def hyper(key: str, value: Real | Tensor | Hyper, below: float = math.inf, closed: bool = False) -> Hyper:
    """A checked hyperparameter, ``0 <= value < below`` (``closed``: ``<= below``).

    Raises:
        UserError: it is no number nor a tensor ``[S]``, or out of this range.
    """
    if isinstance(value, Hyper):  # checked before, by the rule that builds upon this one
        return value
    if isinstance(value, Tensor) and value.ndim <= 1 and not value.is_complex() and value.numel():
        numbers = value.detach().to("cpu", torch.float64, copy=True).reshape(-1)
    elif isinstance(value, Real) and not isinstance(value, bool):
        numbers = torch.tensor([float(value)], dtype=torch.float64)
    else:
        raise UserError(f"{key} = {value!r}, allowed: a number, or a tensor [S] with one number per model")
    within = numbers <= below if closed else numbers < below
    if not bool(((numbers >= 0) & within).all()):
        shown = value.tolist() if isinstance(value, Tensor) else value
        bounds = "a finite number >= 0" if below == math.inf else f"0 <= {key} {'<=' if closed else '<'} {below:g}"
        raise UserError(f"{key} = {shown}, allowed: {bounds}")
    return Hyper(numbers, key)


def decay(lr: Hyper, weight_decay: Hyper) -> Hyper | None:
    """The factor ``1 - lr * weight_decay`` of decoupled weight decay, ``None`` without decay."""
    return None if weight_decay.is_zero() else 1 - lr * weight_decay


def rule(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator that makes a function with keyword-only hyperparameters an update rule, which the registry finds.

    Each hyperparameter's annotation, one of :mod:`muon_imbalance.optimizers.base.hyperparameter_types`, says what is
    allowed; the function gets numbers as :class:`Hyper`, pairs of numbers as two of them, and all else as it is.

    Raises:
        UserError: from the rule, for an unknown key and for a value that is not allowed.
    """
    parameters = inspect.signature(factory).parameters
    kinds = {key: _converter(key, parameter.annotation) for key, parameter in parameters.items()}

    @wraps(factory)
    def checked(**given):
        for key, value in given.items():
            if key not in kinds:
                raise UserError(f"unknown hyperparameter {key} = {value!r}; allowed: {', '.join(kinds)}")
        values = {key: parameter.default for key, parameter in parameters.items()} | given
        return factory(**{key: kinds[key](value) for key, value in values.items()})

    return checked


def _converter(key: str, annotation: Any) -> Callable[[Any], Any]:
    """What turns a given value of a hyperparameter into what its rule gets, or refuses it."""
    field = FieldInfo.from_annotation(annotation)
    if field.annotation is float:
        limits = _limits(field)
        return lambda value: hyper(key, value, *limits)
    if get_origin(field.annotation) is tuple:
        each = [_limits(FieldInfo.from_annotation(part)) for part in get_args(field.annotation)]
        return lambda value: _two(key, value, each)
    if float in (FieldInfo.from_annotation(part).annotation for part in get_args(field.annotation)):  # or None
        return lambda value: None if value is None else hyper(key, value)
    adapter = TypeAdapter(annotation, config=ConfigDict(strict=True))

    def checked(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            (first, *_) = error.errors()
            if first["type"] == "value_error":
                raise UserError(f"{key} = {first['ctx']['error']}") from None
            raise UserError(f"{key} = {value!r}, allowed: {described(field)}") from None

    return checked


def _limits(field: FieldInfo) -> tuple[float, bool]:
    """Upper limit, and whether it is allowed itself."""
    limits = [(getattr(one, name, None), name == "le") for one in field.metadata for name in ("lt", "le")]
    return next((limit for limit in limits if limit[0] is not None), (math.inf, False))


def _two(key: str, value: Any, limits: list[tuple[float, bool]]) -> tuple[Hyper, Hyper]:
    """A pair whose entries are numbers or tensors ``[S]``, or a tensor ``[S, 2]``."""
    pair = value.unbind(-1) if isinstance(value, Tensor) and value.ndim else value
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise UserError(f"{key} = {value!r}, allowed: a pair (beta1, beta2) or a tensor [S, 2]")
    first, second = (hyper(f"{key}[{i}]", one, *limits[i]) for i, one in enumerate(pair))
    return first, second
