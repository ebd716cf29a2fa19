"""Accuracy and loss by group: the groups of a data set, and sums over the samples of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from muon_imbalance.training.task import Key


@dataclass(frozen=True)
class Groups:
    """Names of the groups of a data set, and named sets of them (places in ``names``), such as a majority."""

    names: tuple[str, ...]
    sets: dict[str, list[int]] = field(default_factory=dict)

    @staticmethod
    def of(module: ModuleType, config: Mapping[str, Any]) -> "Groups":
        """Those that a data set's module names (``GROUPS``), or its classes with its ``class_sets``."""
        given = vars(module)
        if "GROUPS" in given:
            return Groups(tuple(given["GROUPS"]))
        names = tuple(f"class_{c}" for c in range(classes(module, config)))
        return Groups(names, given["class_sets"](config) if "class_sets" in given else {})


def classes(module: ModuleType, config: Mapping[str, Any]) -> int:
    """Number of classes: what the data set's module says of its config, or the config itself; two colours."""
    counted = vars(module).get("classes")
    return counted(config) if counted else int(config.get("classes", 2))


def add_by_group(totals: Tensor, groups: Tensor, *values: Tensor) -> None:
    """Add each of ``values [S, n]``, summed over the samples of a group, to ``totals [len(values), S, groups]``."""
    for total, value in zip(totals, values, strict=True):
        total.scatter_add_(1, groups, value.to(total.dtype))


class Totals:
    """Samples, right answers and (with ``losses``) summed cross-entropy of each group, added up part by part.

    Args:
        models: S; groups: G; all sums are ``[S, G]`` in float64.
    """

    def __init__(self, models: int, groups: int, losses: bool, device: torch.device | str = "cpu"):
        self.sums = torch.zeros(2 + losses, models, groups, dtype=torch.float64, device=device)

    def add(self, logits: Tensor, targets: Tensor, groups: Tensor) -> None:
        """Count samples with ``logits [S, m, classes]``, class numbers ``targets [S, m]`` and ``groups [S, m]``."""
        values = [torch.ones_like(targets), logits.argmax(2) == targets]
        if len(self.sums) > 2:
            losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
            values.append(losses.view(targets.shape))
        add_by_group(self.sums, groups, *values)

    def weigh(self, sizes: Tensor) -> None:
        """Let each group count as if it had ``sizes [G]`` samples like those that were added."""
        self.sums *= sizes / self.sums[0].clamp(min=1)

    def measured(self, split: str, groups: Groups) -> dict[Key, Tensor]:
        """Accuracy of each group, their mean (``balanced``), the worst, and of each set."""
        count, correct = self.sums[:2]
        accuracy = correct / count
        values = {(split, group, "accuracy"): accuracy[:, i] for i, group in enumerate(groups.names)}
        values[split, "balanced", "accuracy"] = accuracy.mean(1)
        values[split, "worst", "accuracy"] = accuracy.amin(1)
        for name, members in groups.sets.items():
            values[split, name, "accuracy"] = correct[:, members].sum(1) / count[:, members].sum(1)
        return values

    def losses(self, split: str, groups: Groups) -> dict[Key, Tensor]:
        """Mean cross-entropy of each group."""
        means = self.sums[2] / self.sums[0]
        return {(split, group, "loss"): means[:, i] for i, group in enumerate(groups.names)}

    def mean_loss(self) -> Tensor:
        """Mean cross-entropy of all samples, ``[S]``."""
        return self.sums[2].sum(1) / self.sums[0].sum(1)
