"""The clock: which training samples are evaluated at a record, for the training loss and the accuracies by group.

At most so many of each group are drawn once, before training, and counted by the full sizes of the groups
(:meth:`muon_imbalance.training.groups.Totals.weigh`): loss and accuracies are then without bias for those of the whole
training split. A mean over the batches of an epoch is no clock: it lags, the more the faster the loss falls.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from muon_imbalance.training.minibatch import Inputs, Split


@dataclass(frozen=True)
class Part:
    """Inputs with the numbers ``which [m]`` (on the CPU), as inputs of their own."""

    inputs: Inputs
    which: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.inputs.shape

    def read(self, which: Tensor | slice) -> Tensor:
        """Those with these places in the part."""
        return self.inputs.read(self.which[which])


def drawn(groups: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """Numbers of at most ``most`` samples of each group (0: all), in the order of the data, ``[m]``.

    Args:
        groups: group number of each sample ``[n]``, on the CPU.
    """
    if not most:
        return torch.arange(len(groups))
    order = torch.randperm(len(groups), generator=rng)
    order = order[groups[order].argsort(stable=True)]
    sizes = groups.bincount()
    place = torch.arange(len(groups)) - (sizes.cumsum(0) - sizes)[groups[order]]
    return order[place < most].sort().values


def part_of(split: Split, most: int, rng: torch.Generator) -> Split:
    """What is evaluated of a training split."""
    which = drawn(split.groups.cpu(), most, rng)
    there = which.to(split.targets.device)
    return Split(Part(split.inputs, which), split.targets[there], split.groups[there])
