"""The sets of matrices and kernels on which optimizers are compared, with random starts and gradients.

Each set is the matrices of one network; its vectors are left out, since Muon leaves them to Adam.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

Shape = tuple[int, ...]


def mlp(*widths: int) -> list[Shape]:
    """Weights of a chain of linear layers."""
    return [(out, into) for into, out in zip(widths[:-1], widths[1:], strict=True)]


def resnet18(width: int) -> list[Shape]:
    """Kernels of a CIFAR ResNet-18 whose first stage has `width` channels."""
    kernels, channels = [(width, 3, 3, 3)], width
    for stage in range(4):
        out = width * 2**stage
        kernels += [(out, channels, 3, 3)] + [(out, out, 3, 3)] * 3
        if out != channels:
            kernels.append((out, channels, 1, 1))
        channels = out
    return kernels


def transformer(layers: int, width: int) -> list[Shape]:
    """In- and out-projections of attention and the two layers of the MLP, for each layer."""
    return [(3 * width, width), (width, width), (4 * width, width), (width, 4 * width)] * layers


SETS: dict[str, list[Shape]] = {
    "MLP": mlp(2352, 512, 512, 512, 2),
    "ResNet-18 w16": resnet18(16),
    "transformer d128": transformer(4, 128),
    "transformer d256": transformer(4, 256),
    "ResNet-18 w64": resnet18(64),
}
SCALARS: list[Shape] = [(1,)] * 64


def title(name: str) -> str:
    """A set with its number of parameters."""
    return f"{name} ({sum(math.prod(shape) for shape in SETS[name]) / 1e6:.2f} M)"


def distinct(shapes: list[Shape], copies: int = 2) -> list[Shape]:
    """At most `copies` of each shape: enough to compare updates, two so that batching by shape is seen."""
    seen: dict[Shape, int] = {}
    kept = []
    for shape in shapes:
        seen[shape] = seen.get(shape, 0) + 1
        if seen[shape] <= copies:
            kept.append(shape)
    return kept


def flat(shape: Shape) -> Shape:
    """The matrix of a kernel, out x (in kh kw); a vector stays one."""
    return shape if len(shape) < 3 else (shape[0], math.prod(shape[1:]))


def newton_schulz_flops(shapes: list[Shape], steps: int = 5) -> int:
    """Multiplications and additions of the standard iteration: steps (4 m^2 n + 2 m^3), m <= n."""
    sides = [sorted((*flat(shape), 1)[:2]) for shape in shapes]
    return sum(steps * (4 * m * m * n + 2 * m**3) for m, n in sides)


def start(shapes: list[Shape], seed: int = 0) -> list[Tensor]:
    """Float32 weights of variance 1 / fan-in."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) / math.sqrt(math.prod(shape[1:])) for shape in shapes]


def gradients(shapes: list[Shape], steps: int, seed: int = 1) -> Iterator[list[Tensor]]:
    """Float32 gradients of each step: a lasting part and as much fresh noise, rows and columns of unequal size.

    Factors from 1 to 0.1 on the rows and on the columns make singular values that differ some hundredfold.
    """
    generator = torch.Generator().manual_seed(seed)
    lasting = [torch.randn(shape, generator=generator) for shape in shapes]
    rows = [_factors(shape[0], generator).reshape(-1, *[1] * (len(shape) - 1)) for shape in shapes]
    columns = [_factors(math.prod(shape[1:]), generator).reshape(shape[1:]) for shape in shapes]
    for _ in range(steps):
        noise = [torch.randn(shape, generator=generator) for shape in shapes]
        yield [
            row * (mean + fresh) * column
            for row, mean, fresh, column in zip(rows, lasting, noise, columns, strict=True)
        ]


def _factors(count: int, generator: torch.Generator) -> Tensor:
    return torch.logspace(0, -1, count)[torch.randperm(count, generator=generator)]
