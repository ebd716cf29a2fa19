"""What the training loop asks of a task; the defaults are those of a task without state of its own."""

import abc
from collections.abc import Hashable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from muon_imbalance.plan.job import Job
from muon_imbalance.training.registry import Chosen

Tensors = dict[str, Tensor]
Key = tuple[str, str, str]
"""Split, group and metric of a measurement."""


class Task(abc.ABC):
    """What is learned. ``S`` models are handled at once; all values are per model, ``[S]``.

    Args:
        settings: of each model of the stack; models share a stack where :meth:`alike` is equal.
        job: its experiment, dtype, device and chunk are used.
        seeds: repetition of each model.
        data: folder of the data set.

    Attributes:
        options: those of the first model; all its models have them in common unless :meth:`alike` says otherwise.
        names: experiment and data set, part of all seeds.
        samples: training samples, where epochs are counted.
    """

    samples: int = 0

    def __init__(self, settings: Sequence[Chosen], job: Job, seeds: Sequence[int], data: Path | None):
        self.settings, self.seeds, self.data = list(settings), list(seeds), data
        self.options, self.dataset, self.stack = settings[0].options, settings[0].dataset, len(seeds)
        self.dtype, self.device, self.chunk = getattr(torch, job.dtype), torch.device(job.device), job.chunk
        self.experiment = job.experiment
        self.names = (job.experiment, self.dataset.name) if self.dataset else (job.experiment,)
        self.prepare()

    @abc.abstractmethod
    def prepare(self) -> None:
        """Read the data and make what the task needs beside; called at the end of ``__init__``."""

    def tensor(self, array) -> Tensor:
        """An array (or list) in the dtype and on the device of training."""
        return torch.as_tensor(array, dtype=self.dtype, device=self.device)

    @classmethod
    def alike(cls, settings: Chosen) -> Hashable:
        """Equal for models that can share a stack: by default those with the same settings."""
        return repr(settings)

    @abc.abstractmethod
    def init(self) -> Tensors:
        """Initial parameters, each ``[S, ...]``."""

    @abc.abstractmethod
    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        """Training loss ``[S]``, its gradients, and (if ``measure``) what the pass measured on the training split.

        Called once for each step, in order.
        """

    @abc.abstractmethod
    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Metrics on the other splits, each ``[S]``."""

    def stored(self) -> Tensors:
        """State of its own (batch statistics, the number of the batch) for a checkpoint."""
        return {}

    def restored(self, tensors: Tensors) -> None:  # noqa: B027 (a default, no stub)
        """Take up what :meth:`stored` gave."""
