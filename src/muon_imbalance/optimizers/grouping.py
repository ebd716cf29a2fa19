"""Directions of several tensors: equal shapes through a linear minimisation oracle together, or one norm for all."""

from collections import defaultdict

import torch
from torch import Tensor

from muon_imbalance.optimizers.core import Tensors, as_matrix
from muon_imbalance.optimizers.norms import Norm

SMALL = 128 * 128
"""Entries of a matrix up to which batching pays on a CPU: 1.2 to 16 times faster up to there, nothing above."""


def lmos(norm: Norm, tensors: Tensors) -> Tensors:
    """norm.lmo of every tensor [S, out, ...] as a matrix, in its own shape.

    Polar factors of equal shapes are computed in one batch: on a GPU always, on a CPU where they are small.
    """
    groups = defaultdict(list)
    for name, tensor in tensors.items():
        matrix = as_matrix(tensor)
        alone = not norm.batched or (matrix.device.type == "cpu" and matrix[0].numel() > SMALL)
        key = name if alone else (matrix.shape[1:], matrix.dtype, matrix.device)
        groups[key].append((name, matrix))
    directions = {}
    for members in groups.values():
        names, matrices = zip(*members, strict=True)
        for name, direction in zip(names, _together(norm, matrices), strict=True):
            directions[name] = direction.reshape(tensors[name].shape)
    return directions


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


def _together(norm: Norm, matrices: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if len(matrices) == 1:
        return (norm.lmo(matrices[0]),)
    return norm.lmo(torch.cat(matrices)).split([len(matrix) for matrix in matrices])
