"""Directions of several tensors: those alike through a linear minimisation oracle together, or one norm for all."""

from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.protocol import Tensors, as_matrix
from muon_imbalance.optimizers.geometry.norms import Norm

TOGETHER = 6 * 128 * 128
"""Entries of the square matrices that are worked on together on a CPU, where more of them leave its cache."""


def lmos(norm: Norm, tensors: Tensors) -> Tensors:
    """norm.lmo of every tensor [S, out, ...] as a matrix, in its own shape."""
    directions = {}
    for names in batches(norm, tensors):
        directions |= lmos_together(norm, {name: tensors[name] for name in names})
    return directions


def lmos_together(norm: Norm, tensors: Tensors) -> Tensors:
    """The same for one of :func:`batches`."""
    found = norm.lmo_each([as_matrix(tensor) for tensor in tensors.values()])
    pairs = zip(tensors.items(), found, strict=True)
    return {name: direction.reshape(tensor.shape) for (name, tensor), direction in pairs}


def jointly_normalised(tensors: Tensors) -> Tensors:
    """Every tensor [S, ...] over the Frobenius norm of all of them together, model by model (0 stays 0)."""
    squares = [
        torch.linalg.vector_norm(tensor.flatten(1), dim=1, dtype=torch.float64).square() for tensor in tensors.values()
    ]
    size = sum(squares).sqrt()
    size = size.masked_fill(size == 0, torch.inf)
    return {
        name: tensor / size.reshape(-1, *(1,) * (tensor.ndim - 1)).to(tensor.dtype) for name, tensor in tensors.items()
    }


def batches(norm: Norm, tensors: Tensors) -> Iterator[list[str]]:
    """The names of tensors whose lmos are computed together: alike in `norm.key`, on a CPU not too many."""
    groups = defaultdict(list)
    for name, tensor in tensors.items():
        key = norm.key(as_matrix(tensor))
        groups[name if key is None else (key, tensor.dtype, tensor.device)].append(name)
    for names in groups.values():
        yield from _portions(names, tensors)


def _portions(names: list[str], tensors: Tensors) -> Iterator[list[str]]:
    portion, size = [], 0
    for name in names:
        work = _work(as_matrix(tensors[name]))
        if portion and tensors[name].is_cpu and size + work > TOGETHER:
            yield portion
            portion, size = [], 0
        portion.append(name)
        size += work
    yield portion


def _work(matrix: Tensor) -> int:
    return len(matrix) * min(matrix.shape[1:]) ** 2
