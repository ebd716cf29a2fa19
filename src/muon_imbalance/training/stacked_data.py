"""From a dataset's arrays to what a stack of models reads: blocks of inputs, targets and group numbers."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from muon_imbalance.data import registry
from muon_imbalance.models.stacked.inputs import Inputs, Tinted, features

COLOUR_GROUPS = ("majority", "minority")


@dataclass(frozen=True)
class Block:
    """Samples that are passed together.

    Attributes:
        inputs: ``[S, n, d]`` or :class:`Tinted`.
        targets: class numbers ``[S, n]``.
        groups: group numbers ``[S, n]``, indices into :attr:`Split.groups`.
    """

    inputs: Inputs
    targets: Tensor
    groups: Tensor


@dataclass(frozen=True)
class Split:
    """All blocks of a split, the names of its groups, and named sets of groups (places in ``groups``)."""

    blocks: list[Block]
    groups: tuple[str, ...]
    sets: dict[str, list[int]] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Samples per model."""
        return sum(block.targets.shape[1] for block in self.blocks)

    @property
    def features(self) -> int:
        """Length of a flattened input."""
        return features(self.blocks[0].inputs)


class Loader:
    """Reads splits of a dataset folder for given repetitions, one repetition per model of the stack."""

    def __init__(self, path: Path, settings: dict, seeds: list[int], dtype: torch.dtype, device: str):
        self.path, self.seeds, self.dtype, self.device = path, seeds, dtype, device
        self.config = settings["dataset"]["config"]
        self.pixel_range = settings.get("pixel_range", (0.0, 1.0))
        self.module = registry.module(settings["dataset"]["builder"])

    @property
    def classes(self) -> int:
        """Number of classes: what the data set's module says of its config, or the config itself; two colours."""
        counted = getattr(self.module, "classes", None)
        return counted(self.config) if counted else int(self.config.get("classes", 2))

    def _stacked(self, array: np.ndarray, dtype: torch.dtype, unique: list[int]) -> Tensor:
        """``[R, n, ...]`` (one row per distinct repetition, or one for all) as ``[S, n, ...]``."""
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device, dtype)
        if tensor.shape[0] == 1:
            return tensor.expand(len(self.seeds), *tensor.shape[1:])
        return tensor[[unique.index(seed) for seed in self.seeds]]

    def split(self, name: str) -> Split:
        """One split as blocks on the device."""
        unique = sorted(set(self.seeds))
        arrays = self.module.load(self.path, name, unique)
        if "grey" in arrays:
            return self._coloured(arrays, unique)
        targets = self._stacked(arrays["label"], torch.int64, unique)
        inputs = self._stacked(arrays["inputs"], self.dtype, unique)
        if "group" in arrays:
            groups = self._stacked(arrays["group"], torch.int64, unique)
            return Split([Block(inputs, targets, groups)], self.module.GROUPS)
        classes = tuple(f"class_{c}" for c in range(self.classes))
        sets = self.module.class_sets(self.config) if hasattr(self.module, "class_sets") else {}
        return Split([Block(inputs, targets, targets)], classes, sets)

    def _coloured(self, arrays: dict[str, np.ndarray], unique: list[int]) -> Split:
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
        return Split(blocks, COLOUR_GROUPS)
