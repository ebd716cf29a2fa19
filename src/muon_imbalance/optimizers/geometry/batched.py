"""How lists of tensors are divided into parts that are worked on together."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator

from torch import Tensor

from muon_imbalance.optimizers.base.protocol import as_matrix

TOGETHER = 6 * 128 * 128
"""Entries of the square matrices that are worked on together on a CPU, where more of them leave its cache."""
FEW, PIECE = 2**15, 2**16
"""Entries of tensors on a CPU up to which one call for all of them is quicker than one for each, and from which on
one call for each part is, since what one operation leaves for the next stays in the cache."""


def batches(key: Callable[[Tensor], Hashable], tensors: list[Tensor]) -> Iterator[list[int]]:
    """Places of tensors ``[S, out, ...]`` whose matrices have the same ``key``, on a CPU not too many at once."""
    groups = defaultdict(list)
    for place, tensor in enumerate(tensors):
        groups[key(as_matrix(tensor)), tensor.dtype, tensor.device].append(place)
    for places in groups.values():
        batch, size = [], 0
        for place in places:
            matrix = as_matrix(tensors[place])
            work = len(matrix) * min(matrix.shape[1:]) ** 2
            if batch and matrix.is_cpu and size + work > TOGETHER:
                yield batch
                batch, size = [], 0
            batch.append(place)
            size += work
        yield batch


def pieces(*lists: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
    """Lists of tensors of the same shapes in pieces, for what is done entry by entry.

    On a CPU all small ones are one piece, then each larger one is, in parts of at most ``PIECE`` entries if it is
    contiguous in all lists; elsewhere all are one.
    """
    few = []
    for tensors in zip(*lists, strict=True):
        size = tensors[0].numel()
        if not tensors[0].is_cpu or size <= FEW:
            few.append(tensors)
        elif size <= PIECE or not all(tensor.is_contiguous() for tensor in tensors):
            yield tuple([tensor] for tensor in tensors)
        else:
            count = -(-size // PIECE)
            for parts in zip(*(tensor.view(-1).chunk(count) for tensor in tensors), strict=True):
                yield tuple([part] for part in parts)
    if few:
        yield tuple(map(list, zip(*few, strict=True)))
