"""From a dataset's arrays to what a stack of models reads: blocks of inputs, targets and group numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from muon_imbalance.data import registry
from muon_imbalance.models.stacked.inputs import Inputs, Tinted, features
from muon_imbalance.training.groups import Groups, classes
from muon_imbalance.training.registry import Dataset

COLOUR_GROUPS = ("majority", "minority")


@dataclass(frozen=True)
class Block:
    """Samples that are passed together.

    Attributes:
        inputs: ``[S, n, d]`` or :class:`Tinted`.
        targets: class numbers ``[S, n]``.
        groups: group numbers ``[S, n]``, places in the names of :attr:`Blocks.groups`.
    """

    inputs: Inputs
    targets: Tensor
    groups: Tensor


@dataclass(frozen=True)
class Blocks:
    """All blocks of a split, and its groups."""

    blocks: list[Block]
    groups: Groups

    @property
    def samples(self) -> int:
        """Samples per model."""
        return sum(block.targets.shape[1] for block in self.blocks)

    @property
    def features(self) -> int:
        """Length of a flattened input."""
        return features(self.blocks[0].inputs)


class Loader:
    """Reads splits of a dataset folder for given repetitions, one repetition per model of the stack.

    Args:
        pixel_range: values of black and white, where pictures are stored in factored form.
    """

    def __init__(self, path: Path, dataset: Dataset, pixel_range: Sequence[float], seeds: list[int],
                 dtype: torch.dtype, device: torch.device):  # fmt: skip
        self.path, self.seeds, self.dtype, self.device = path, seeds, dtype, device
        self.config, self.pixel_range = dataset.config, pixel_range
        self.module = registry.module(dataset.builder)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return classes(self.module, self.config)

    def _stacked(self, array: np.ndarray, dtype: torch.dtype, unique: list[int]) -> Tensor:
        """``[R, n, ...]`` (one row per distinct repetition, or one for all) as ``[S, n, ...]``."""
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device, dtype)
        if tensor.shape[0] == 1:
            return tensor.expand(len(self.seeds), *tensor.shape[1:])
        return tensor[[unique.index(seed) for seed in self.seeds]]

    def split(self, name: str) -> Blocks:
        """One split as blocks on the device."""
        unique = sorted(set(self.seeds))
        arrays = self.module.load(self.path, name, unique)
        if "grey" in arrays:
            return self._coloured(arrays, unique)
        targets = self._stacked(arrays["label"], torch.int64, unique)
        inputs = self._stacked(arrays["inputs"], self.dtype, unique)
        groups = self._stacked(arrays["group"], torch.int64, unique) if "group" in arrays else targets
        return Blocks([Block(inputs, targets, groups)], Groups.of(self.module, self.config))

    def _coloured(self, arrays: dict[str, np.ndarray], unique: list[int]) -> Blocks:
        """Blocks of one background colour each; a split without colours is shown in both."""
        grey = self._stacked(arrays["grey"], self.dtype, unique)
        label = self._stacked(arrays["label"], torch.int64, unique)
        blocks = []
        first = int((arrays["colour"][0] == 0).sum()) if "colour" in arrays else None
        for colour, background in enumerate(arrays["background"]):
            if first is None:
                part = slice(None)
            else:
                part = slice(None, first) if colour == 0 else slice(first, None)
            background = torch.from_numpy(background).to(self.device, self.dtype)
            low, high = self.pixel_range
            scale, offset = (high - low) * (1 - background), low + (high - low) * background
            target = label[:, part]
            blocks.append(Block(Tinted(grey[:, part], scale, offset), target, (target != colour).long()))
        return Blocks(blocks, Groups(COLOUR_GROUPS))
