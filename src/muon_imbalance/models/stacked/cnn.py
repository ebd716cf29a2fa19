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

from collections.abc import Iterator
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


class CNN:
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

    def apply(self, params: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """Logits ``[S, n, classes]`` of images ``[S, n, side * side]``."""
        return self._logits(params, self._pooled(params, self._expanded(params), inputs)[-1][0])

    def logits(self, params: dict[str, Tensor], inputs: Tensor, chunk: int) -> Iterator[tuple[slice, Tensor]]:
        """Logits in pieces of at most ``chunk`` samples."""
        kernels = self._expanded(params)
        for part in heads.pieces(inputs.shape[1], chunk):
            yield part, self._logits(params, self._pooled(params, kernels, inputs[:, part])[-1][0])

    def accumulate(
        self,
        params: dict[str, Tensor],
        inputs: Tensor,
        targets: Tensor,
        share: float,
        chunk: int,
        grads: dict[str, Tensor],
        visit: heads.Visit,
        weights: Tensor | None = None,
    ) -> None:
        """Add ``share`` times the gradient of the summed cross-entropy of these samples to ``grads``, chunk by chunk.

        Args:
            inputs: images ``[S, n, side * side]``.
            targets: class numbers ``[S, n]``.
            grads: one tensor per parameter, added to in place.
            visit: called with each chunk's samples, logits ``[S, m, classes]`` and losses ``[S, m]`` (not weighted).
            weights: factor of each sample's cross-entropy in the sum ``[S, n]``; None: 1.
        """
        kernels = self._expanded(params)
        sums = [torch.zeros_like(matrix) for matrix in kernels]
        for part in heads.pieces(inputs.shape[1], chunk):
            layers = self._pooled(params, kernels, inputs[:, part])
            top = layers[-1][0]
            logits = self._logits(params, top)
            losses, delta = heads.cross_entropy(logits, targets[:, part], None if weights is None else weights[:, part])
            visit(part, logits, losses)
            delta.mul_(share)
            grads["linear.weight"].baddbmm_(delta.mT, top.flatten(1, 3).mT)
            grads["linear.bias"] += delta.sum(1)
            back = torch.bmm(params["linear.weight"].mT, delta.mT).view(top.shape)
            self._backward(kernels, layers, back, sums, grads)
        for i, total in enumerate(sums):
            shape, side = self.shapes[f"conv.{i}.weight"], self.side >> i
            total = everywhere_transposed(total, shape, side) if self.whole[i] else total
            grads[f"conv.{i}.weight"] += contracted(total, shape)

    def _expanded(self, params: dict[str, Tensor]) -> list[Tensor]:
        matrices = []
        for i in range(len(self.channels)):
            shape, side = self.shapes[f"conv.{i}.weight"], self.side >> i
            matrix = expanded(params[f"conv.{i}.weight"])
            matrices.append(everywhere(matrix, shape, side) if self.whole[i] else matrix)
        return matrices

    def _pooled(self, params: dict[str, Tensor], kernels: list[Tensor], images: Tensor) -> list[tuple]:
        """For every convolution: its output ``[S, C, rows, columns, m]``, what it acts on, which place was largest."""
        hidden = images.mT.unflatten(1, (1, self.side, self.side))
        layers = []
        for i, kernel in enumerate(kernels):
            side = hidden.shape[2]
            seen = hidden.flatten(1, 3) if self.whole[i] else windows(hidden)
            shape = (len(images), 4, self.channels[i], side // 2, side // 2, images.shape[1])
            best, *places = _largest(*torch.bmm(kernel, seen).view(shape).unbind(1))
            best += params[f"conv.{i}.bias"][..., None, None, None]
            hidden = best.relu_()
            layers.append((hidden, seen, places))
        return layers

    def _logits(self, params: dict[str, Tensor], top: Tensor) -> Tensor:
        return torch.baddbmm(params["linear.bias"].unsqueeze(1), top.flatten(1, 3).mT, params["linear.weight"].mT)

    def _backward(self, kernels: list[Tensor], layers: list[tuple], back: Tensor, sums: list[Tensor], grads) -> None:
        """Add the gradients that ``back = d loss / d (last convolution's output)`` gives."""
        for i in range(len(layers) - 1, -1, -1):
            out, seen, places = layers[i]
            delta = heads.relu_backward_(back, out)
            grads[f"conv.{i}.bias"] += delta.sum((2, 3, 4))
            products = _to_largest(delta, *places).view(len(out), sums[i].shape[1], -1)
            sums[i].baddbmm_(products, seen.mT)
            if i > 0:
                back, below = torch.bmm(kernels[i].mT, products), layers[i - 1][0].shape
                back = back.view(below) if self.whole[i] else overlapped(back, below)


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
