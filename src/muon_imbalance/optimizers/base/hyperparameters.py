"""Hyperparameters with a model axis: one number for all models, or one per model."""

import math
import re
from numbers import Real

import torch
from torch import Tensor

from muon_imbalance.common.errors import UserError


class Hyper:
    """A hyperparameter: float64 values [1] or [S]; calling it with a stacked tensor gives it as [S, 1, ...].

    One number and S equal numbers take the same arithmetic path, so a stack equals its models run one by one.
    """

    __slots__ = ("_cache", "_number", "key", "value")

    def __init__(self, value: Tensor, key: str = "a hyperparameter"):
        self.value, self.key = value, key
        self._cache: dict[tuple, Tensor] = {}
        self._number = value.item() if len(value) == 1 else None

    def __call__(self, like: Tensor) -> Tensor:
        """Shape [S, 1, ...], in the dtype and on the device of `like` [S, ...]."""
        where = (like.shape[0], like.ndim, like.dtype, like.device)
        if where not in self._cache:
            self._cache[where] = self._place(*where)
        return self._cache[where]

    def _place(self, models: int, ndim: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        value = self.value.repeat(models) if len(self.value) == 1 else self.value
        if len(value) != models:
            raise UserError(f"{self.key} has {len(value)} values, allowed: 1 or one per model, here {models}")
        return value.to(device, dtype).reshape(-1, *[1] * (ndim - 1))

    def number(self) -> float:
        """The one value, for rules that act on a single model; raise UserError where there are several."""
        if self._number is None:
            raise UserError(f"{self.key} has {len(self.value)} values, allowed: 1 or one per model, here 1")
        return self._number

    def common(self) -> float | None:
        """The value that all models have, None where they differ."""
        values = set(self.value.tolist())
        return values.pop() if len(values) == 1 else None

    def is_zero(self) -> bool:
        """True when it is 0 for every model, so that its term can be left out."""
        return not self.value.any()


def hyper(key: str, value: Real | Tensor, below: float = math.inf, closed: bool = False) -> Hyper:
    """A checked hyperparameter, 0 <= value < below (closed: <= below); raise UserError otherwise."""
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


def two_betas(value: object, closed: bool = False) -> tuple[Hyper, Hyper]:
    """betas: a pair whose entries are numbers or tensors [S], or a tensor [S, 2]; closed: beta2 may be 1."""
    pair = value.unbind(-1) if isinstance(value, Tensor) and value.ndim else value
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise UserError(f"betas = {value!r}, allowed: a pair (beta1, beta2) or a tensor [S, 2]")
    return hyper("betas[0]", pair[0], below=1), hyper("betas[1]", pair[1], below=1, closed=closed)


def decay(lr: Hyper, weight_decay: Hyper) -> Hyper | None:
    """The factor 1 - lr * weight_decay of decoupled weight decay, None without decay."""
    return None if weight_decay.is_zero() else Hyper(1 - lr.value * weight_decay.value, "weight_decay")


def choice(key: str, value: object, allowed: tuple[str, ...]) -> str:
    """A word out of `allowed`; raise UserError otherwise."""
    if value not in allowed:
        raise UserError(f"{key} = {value!r}, allowed: {', '.join(allowed)}")
    return value


def flag(key: str, value: object) -> bool:
    """True or False; raise UserError otherwise."""
    if not isinstance(value, bool):
        raise UserError(f"{key} = {value!r}, allowed: true, false")
    return value


def whole(key: str, value: object, low: int, high: int) -> int:
    """A whole number, low <= value <= high; raise UserError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UserError(f"{key} = {value!r}, allowed: a whole number from {low} to {high}")
    return value


def pattern(key: str, value: object) -> str:
    """A regular expression, "" for none; raise UserError otherwise."""
    try:
        re.compile(value)
    except (TypeError, re.error):
        raise UserError(
            f"{key} = {value!r}, allowed: a regular expression that parameter names are searched for"
        ) from None
    return value
