"""Inputs of stacked models: a plain tensor, or grey images on one background colour kept in factored form."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tinted:
    """Images ``x[c, p] = scale[c] * grey[p] + offset[c]`` that were never multiplied out.

    A white digit on a coloured background is such an image: ``pixel = v * white + (1 - v) * background``. A linear
    layer can act on the grey image alone (see :func:`fold`), which takes a third of the memory and of the work.

    Attributes:
        grey: ``[S, n, P]``.
        scale: ``[C]``, one factor per channel.
        offset: ``[C]``.
    """

    grey: Tensor
    scale: Tensor
    offset: Tensor

    def dense(self) -> Tensor:
        """The rendered images ``[S, n, C * P]``, channel first."""
        tinted = self.grey.unsqueeze(-2) * self.scale.unsqueeze(-1) + self.offset.unsqueeze(-1)
        return tinted.flatten(-2)


Inputs = Tensor | Tinted


def features(inputs: Inputs) -> int:
    """Length of a rendered, flattened input: ``d``, or ``C * P``."""
    return inputs.scale.numel() * inputs.grey.shape[-1] if isinstance(inputs, Tinted) else inputs.shape[-1]


def fold(inputs: Inputs, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """First linear layer in terms of what is stored: ``(x', W', b')`` with ``x W^T + b = x' W'^T + b'``.

    For tinted images, ``W'[o, p] = sum_c scale[c] W[o, c, p]`` and ``b'[o] = b[o] + sum_c offset[c] sum_p W[o, c, p]``:
    exact, with ``C`` times fewer operations per image.

    Args:
        inputs: ``[S, n, d]`` or :class:`Tinted` with ``C * P = d``.
        weight: ``[S, out, d]``.
        bias: ``[S, out]`` or ``None``.
    """
    if not isinstance(inputs, Tinted):
        return inputs, weight, bias
    split = weight.unflatten(-1, (inputs.scale.numel(), -1))  # [S, out, C, P]
    shift = (split.sum(-1) * inputs.offset).sum(-1)
    folded = torch.einsum("socp,c->sop", split, inputs.scale)
    return inputs.grey, folded, shift if bias is None else bias + shift


def unfold(inputs: Inputs, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Gradient of the layer's own weight ``[S, out, d]`` from those of ``W'`` and ``b'`` (see :func:`fold`)."""
    if not isinstance(inputs, Tinted):
        return weight
    split = weight.unsqueeze(2) * inputs.scale.unsqueeze(-1)
    split += (bias.unsqueeze(2) * inputs.offset).unsqueeze(-1)
    return split.flatten(2)
