"""Convolutional network, stacked over models: 5 x 5 convolutions, ReLU, 2 x 2 max-pooling, then one linear layer.

A convolution and the pooling after it are one matrix product. A pooled output sees a window of 6 x 6 pixels, in which
the 5 x 5 kernel has four places; their products are computed together and the largest one counts:

    out[o, i, j] = relu(bias[o] + max_{a, b in {0, 1}}
                        sum_{c, u, v} kernel[o, c, u - a, v - b] x[c, 2i - 2 + u, 2j - 2 + v])

The product is that of the kernel and all windows, or, for small images, of one matrix for all windows and the image
itself. Tensors within are ``[S, channels, rows, columns, samples]``, samples last, along which all comparisons run.
Written out like this, the gradient of a narrow network (4 and 12 channels) takes 0.6 of the CPU time of ``conv2d``
with automatic differentiation, that of 8 and 16 channels 0.8 to 0.95 (a test compares the results).
Source: Kunstner et al. 2024 (two layers, 32 and 100 channels).
"""

from itertools import product
from math import isqrt
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.models.stacked import heads

KERNEL, WINDOW = 5, 6
SMALL = 400_000
"""Entries up to which one matrix for all windows of an image is faster, although most of them are 0."""

PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))


class Options(Settings):
    """A convolutional network on square images of one channel."""

    channels: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        min_length=1, description="filters of each convolution"
    )


class CNN(heads.Stack):
    """``conv.<i>.weight [S, out, in, 5, 5]``, ``linear.weight [S, classes, channels * rows * columns]``, and biases."""

    def __init__(self, side: int, channels: list[int], classes: int):
        self.side, self.channels, self.classes = side, channels, classes
        self.shapes: dict[str, tuple[int, ...]] = {}  # of one model
        for i, (inputs, outputs) in enumerate(zip([1, *channels[:-1]], channels, strict=True)):
            self.shapes |= {f"conv.{i}.weight": (outputs, inputs, KERNEL, KERNEL), f"conv.{i}.bias": (outputs,)}
        sides = [side >> i for i in range(len(channels))]
        self.whole = [is_small(self.shapes[f"conv.{i}.weight"], at) for i, at in enumerate(sides)]
        left = side >> len(channels)  # pooling drops an odd last row and column
        self.shapes |= {"linear.weight": (classes, channels[-1] * left**2), "linear.bias": (classes,)}

    def init(self, generators: list[torch.Generator], dtype: torch.dtype) -> dict[str, Tensor]:
        """PyTorch's default initialisation, each model from its own generator."""
        return heads.uniform(self.shapes, generators, dtype)

    def _layers(self, params: dict[str, Tensor], inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images ``[S, n, side * side]``, and the parameters with the ``matrix.<i>`` of each convolution."""
        layers = dict(params)
        for i in range(len(self.channels)):
            shape, side = self.shapes[f"conv.{i}.weight"], self.side >> i
            matrix = expanded(params[f"conv.{i}.weight"])
            layers[f"matrix.{i}"] = everywhere(matrix, shape, side) if self.whole[i] else matrix
        return inputs, layers

    def _forward(self, layers: dict[str, Tensor], images: Tensor) -> list:
        """For every convolution: its output ``[S, C, rows, columns, m]``, what it acts on, which place was largest;
        then the logits."""
        hidden = images.mT.unflatten(1, (1, self.side, self.side))
        found = []
        for i, whole in enumerate(self.whole):
            side = hidden.shape[2]
            seen = hidden.flatten(1, 3) if whole else windows(hidden)
            shape = (len(images), 4, self.channels[i], side // 2, side // 2, images.shape[1])
            best, *places = _largest(*torch.bmm(layers[f"matrix.{i}"], seen).view(shape).unbind(1))
            best += layers[f"conv.{i}.bias"][..., None, None, None]
            hidden = best.relu_()
            found.append((hidden, seen, places))
        weight, bias = layers["linear.weight"], layers["linear.bias"]
        return [*found, torch.baddbmm(bias.unsqueeze(1), hidden.flatten(1, 3).mT, weight.mT)]

    def _sums(self, layers: dict[str, Tensor]) -> list[Tensor]:
        return [torch.zeros_like(layers[f"matrix.{i}"]) for i in range(len(self.channels))]

    def _backward(self, layers: dict[str, Tensor], activations: list, delta: Tensor, sums: list[Tensor], grads) -> None:
        top = activations[-1][0]
        grads["linear.weight"].baddbmm_(delta.mT, top.flatten(1, 3).mT)
        grads["linear.bias"] += delta.sum(1)
        back = torch.bmm(layers["linear.weight"].mT, delta.mT).view(top.shape)
        for i in range(len(activations) - 1, -1, -1):
            out, seen, places = activations[i]
            delta = heads.relu_backward_(back, out)
            grads[f"conv.{i}.bias"] += delta.sum((2, 3, 4))
            products = _to_largest(delta, *places).view(len(out), sums[i].shape[1], -1)
            sums[i].baddbmm_(products, seen.mT)
            if i > 0:
                back, below = torch.bmm(layers[f"matrix.{i}"].mT, products), activations[i - 1][0].shape
                back = back.view(below) if self.whole[i] else overlapped(back, below)

    def _collect(self, inputs: Tensor, sums: list[Tensor], grads: dict[str, Tensor]) -> None:
        for i, total in enumerate(sums):
            shape, side = self.shapes[f"conv.{i}.weight"], self.side >> i
            total = everywhere_transposed(total, shape, side) if self.whole[i] else total
            grads[f"conv.{i}.weight"] += contracted(total, shape)


def is_small(shape: tuple[int, ...], side: int) -> bool:
    """Whether the matrix of :func:`everywhere` for a kernel ``(out, in, 5, 5)`` has at most :data:`SMALL` entries."""
    return 4 * shape[0] * (side // 2) ** 2 * shape[1] * side**2 <= SMALL


def expanded(kernel: Tensor) -> Tensor:
    """The kernel ``[S, out, in, 5, 5]`` in its four places of a window: ``[S, 4 * out, in * 36]``."""
    stack, out, inputs = kernel.shape[:3]
    placed = kernel.new_zeros(stack, 4, out, inputs, WINDOW, WINDOW)
    for place, (a, b) in enumerate(PLACES):
        placed[:, place, :, :, a : a + KERNEL, b : b + KERNEL] = kernel
    return placed.view(stack, 4 * out, inputs * WINDOW**2)


def contracted(total: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Gradient of the kernel ``[S, *shape]`` from that of its :func:`expanded` form: the sum over places."""
    out, inputs = shape[:2]
    placed = total.view(-1, 4, out, inputs, WINDOW, WINDOW)
    parts = [placed[:, p, :, :, a : a + KERNEL, b : b + KERNEL] for p, (a, b) in enumerate(PLACES)]
    return torch.stack(parts).sum(0)


def everywhere(matrix: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
    """One matrix for all windows of an image, ``[S, 4 * out * half**2, in * side**2]``, from :func:`expanded`'s.

    Args:
        shape: ``(out, in, 5, 5)``; ``half = side // 2``.
    """
    out, inputs = shape[:2]
    half = side // 2
    full = matrix.new_zeros(len(matrix), 4 * out, half, half, inputs, side + 4, side + 4)  # a margin of two pixels
    window = matrix.view(-1, 4 * out, inputs, WINDOW, WINDOW)
    for i, j in product(range(half), repeat=2):
        full[:, :, i, j, :, 2 * i : 2 * i + WINDOW, 2 * j : 2 * j + WINDOW] = window
    return full[..., 2:-2, 2:-2].reshape(len(matrix), 4 * out * half**2, inputs * side**2)


def everywhere_transposed(total: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
    """Gradient of :func:`expanded`'s matrix from that of :func:`everywhere`'s: the sum over windows."""
    out, inputs = shape[:2]
    half = side // 2
    full = F.pad(total.view(-1, 4 * out, half, half, inputs, side, side), (2, 2, 2, 2))
    parts = [
        full[:, :, i, j, :, 2 * i : 2 * i + WINDOW, 2 * j : 2 * j + WINDOW] for i, j in product(range(half), repeat=2)
    ]
    return torch.stack(parts).sum(0).flatten(2)


def windows(images: Tensor) -> Tensor:
    """What each pooled output sees of ``[S, C, H, W, m]``, zero outside: ``[S, C * 36, (H // 2) * (W // 2) * m]``."""
    stack, channels, height, width, m = images.shape
    padded = F.pad(images, (0, 0, 2, 2 - width % 2, 2, 2 - height % 2))
    s, c, h, w, one = padded.stride()
    size = (stack, channels, WINDOW, WINDOW, height // 2, width // 2, m)
    return padded.as_strided(size, (s, c, h, w, 2 * h, 2 * w, one)).reshape(stack, channels * WINDOW**2, -1)


def overlapped(seen: Tensor, shape: torch.Size) -> Tensor:
    """Transpose of :func:`windows`: what the windows hold, added up where they overlap, ``[S, C, H, W, m]``."""
    stack, channels, height, width, m = shape
    rows, columns = height // 2, width // 2
    parts = seen.view(stack, channels, WINDOW, WINDOW, rows, columns, m)
    padded = seen.new_zeros(stack, channels, 2 * rows + 4, 2 * columns + 4, m)
    for u in range(WINDOW):
        for v in range(WINDOW):
            padded[:, :, u : u + 2 * rows : 2, v : v + 2 * columns : 2] += parts[:, :, u, v]
    return padded[:, :, 2 : 2 + height, 2 : 2 + width]


def _largest(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The largest of four, and where it is: ``b > a``, ``d > c``, ``max(c, d) > max(a, b)`` (1 or 0; of equals the
    first, as in ``max_pool2d``).
    """
    first, second = torch.maximum(a, b), torch.maximum(c, d)
    places = ((x > y).to(a.dtype) for x, y in ((b, a), (d, c), (second, first)))
    return torch.maximum(first, second), *places


def _to_largest(delta: Tensor, b_over_a: Tensor, d_over_c: Tensor, second_over_first: Tensor) -> Tensor:
    """``delta [S, ...]`` at the place of the largest of four, 0 at the others: ``[S, 4, ...]``."""
    placed = delta.new_empty(len(delta), 4, *delta.shape[1:])
    a, b, c, d = placed.unbind(1)
    torch.mul(delta, second_over_first, out=c)
    torch.sub(delta, c, out=a)
    for low, high, above in ((a, b, b_over_a), (c, d, d_over_c)):
        torch.mul(low, above, out=high)
        low -= high
    return placed


def build(options: Options, shape: tuple[int], classes: int) -> CNN:
    """A network for square images of one channel, ``shape = (pixels,)``.

    Raises:
        UserError: the images are not square, or too small for that many poolings.
    """
    (pixels,), channels = shape, options.channels
    side = isqrt(pixels)
    if side**2 != pixels:
        raise UserError(f"model cnn: images have {pixels} pixels; allowed: a square number (one channel)")
    if side >> len(channels) == 0:
        most = side.bit_length() - 1
        raise UserError(f"model cnn: channels is {channels}; allowed: 1 to {most} numbers for images of side {side}")
    return CNN(side, channels, classes)
