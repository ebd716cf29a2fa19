"""Torch modules trained on minibatches, as a task of the training loop: one model at a time, a stack of one.

What a step sees depends on (experiment, data set, repetition, epoch or step) and nothing else: all optimizers see the
same batches, crops and dropout, and a run that goes on from a checkpoint equals one that was never interrupted.
"""

import abc
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.plan.job import Job
from muon_imbalance.training.randomness import generator
from muon_imbalance.training.registry import Chosen
from muon_imbalance.training.task import Key, Task, Tensors

OutputsOf = Callable[..., Tensor]


@contextlib.contextmanager
def seeded(device: torch.device, *parts: str | int) -> Iterator[None]:
    """Torch's global random numbers (initial weights, dropout) depend on ``parts`` inside and are as before after.

    As ``torch.manual_seed`` for the CPU and ``device``; a build of torch for GPUs would write down the call stack each
    time, for those not yet in use, which takes some tenths of a millisecond.
    """
    seed = stable_seed(*parts) % 2**63
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield


class Inputs(Protocol):
    """Inputs of the samples of a split, as a module reads them."""

    shape: tuple[int, ...]

    def read(self, which: Tensor | slice) -> Tensor:
        """Those with these numbers."""


@dataclass(frozen=True)
class Split:
    """Samples of one split on the device: inputs, class numbers ``targets [n]``, group numbers ``groups [n]``."""

    inputs: Inputs
    targets: Tensor
    groups: Tensor


class Minibatch(Task):
    """A module and its training samples; sub-classes say what the loss is and what is measured.

    Parameters are those of the module that require a gradient, each as ``[1, ...]`` under its own name. Buffers (of
    BatchNorm) belong to the task and to its checkpoints; metrics recorded after ``t`` updates are computed with the
    buffers of that moment, in evaluation mode: also the training loss (``train, all, loss``), which is no mean over
    batches of an epoch.

    An epoch is a random order of all samples, cut into ``ceil(samples / batch)`` batches whose sizes differ by one at
    most. A job's ``epochs``, ``batch``, ``clip`` (largest norm of the gradient, 0: any), ``autocast`` (name of a dtype,
    "": off) and ``compile`` are used beside what every task takes.
    """

    def __init__(self, settings: Sequence[Chosen], job: Job, seeds: Sequence[int], data: Path | None):
        (self.seed,) = seeds
        super().__init__(settings, job, seeds, data)
        self.clip, self.autocast = job.clip, getattr(torch, job.autocast) if job.autocast else None
        plan = job.length(self.samples)
        self.steps, self.per_epoch = plan.steps, plan.per_epoch
        with seeded(self.device, *self.names, "init", self.seed):
            module = self.make()
        self.module = module.to(self.device, self.dtype).train()
        self.call = torch.compile(self.module) if job.compile else self.module
        self.parameters = {name: p for name, p in self.module.named_parameters() if p.requires_grad}
        self.buffers = dict(self.module.named_buffers())
        self.initial = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.at_record = self._copied_buffers()
        self.step = 0
        self._epoch, self._batches = -1, ()

    # --- what a sub-class says ---------------------------------------------------------------------------

    @abc.abstractmethod
    def prepare(self) -> None:
        """Read the data and set ``samples``, the number of training samples."""

    @abc.abstractmethod
    def make(self) -> nn.Module:
        """The module with its initial weights, drawn from torch's global random numbers (which are seeded here)."""

    @abc.abstractmethod
    def loss(self, outputs_of: OutputsOf, which: Tensor, rng: torch.Generator) -> Tensor:
        """Mean loss of the training samples ``which`` (their numbers, on the CPU), with its graph.

        Args:
            outputs_of: the module; call it once or several times with what its ``forward`` takes.
            rng: random numbers of this step (crops, masks), on the CPU; dropout takes torch's own, seeded as well.
        """

    @abc.abstractmethod
    def measure(self, outputs_of: OutputsOf) -> dict[Key, Tensor]:
        """Metrics at a recorded step, each ``[1]``; the module is in evaluation mode and keeps no graph.

        The training loss is one of them (``train, all, loss``, without random changes of the inputs): selection and
        controls at equal progress read it.
        """

    # --- what the training loop calls --------------------------------------------------------------------

    def init(self) -> Tensors:
        """The module's initial parameters, each ``[1, ...]``."""
        return {name: value.unsqueeze(0).clone() for name, value in self.initial.items()}

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        """Loss ``[1]`` and gradients of the next batch, nothing measured; after the last update both are zero.

        A weight that is not finite then gives a gradient that is not, so that the run counts as diverged.
        """
        if measure:
            self.at_record = self._copied_buffers()
        if self.step >= self.steps:
            return torch.zeros(1, device=self.device), {name: value * 0 for name, value in params.items()}, {}
        epoch, place = divmod(self.step, self.per_epoch)
        which = self.batches(epoch)[place]
        self._bind(params)
        with seeded(self.device, *self.names, "dropout", self.seed, self.step):
            rng = generator(*self.names, "step", self.seed, self.step)
            loss = self.loss(self.outputs_of, which, rng)
            grads = torch.autograd.grad(loss, list(self.parameters.values()), materialize_grads=True)
        self.step += 1
        named = {name: g.unsqueeze(0) for name, g in zip(self.parameters, self._clipped(grads), strict=True)}
        return loss.detach().reshape(1), named, {}

    @torch.no_grad()
    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """What :meth:`measure` finds for these parameters, with the buffers before the batch that came last."""
        now = self._copied_buffers()
        self._bind(params)
        self._set_buffers(self.at_record)
        self.module.eval()
        try:
            return self.measure(self.outputs_of)
        finally:
            self.module.train()
            self._set_buffers(now)

    def stored(self) -> Tensors:
        """What a checkpoint holds beside parameters and the optimizer's state."""
        return {f"buffer:{k}": v for k, v in self.buffers.items()} | {"step": torch.tensor(self.step)}

    def restored(self, tensors: Tensors) -> None:
        """Take up what :meth:`stored` gave."""
        self.step = int(tensors["step"])
        self._set_buffers({k: tensors[f"buffer:{k}"] for k in self.buffers})

    # --- parts -------------------------------------------------------------------------------------------

    def outputs_of(self, *inputs, **named) -> Tensor:
        """The module's outputs, computed in lower precision where autocast is on."""
        if self.autocast is None:
            return self.call(*inputs, **named)
        with torch.autocast(self.device.type, self.autocast):
            return self.call(*inputs, **named)

    def batches(self, epoch: int) -> tuple[Tensor, ...]:
        """Sample numbers of each batch of an epoch."""
        if epoch != self._epoch:
            order = torch.randperm(self.samples, generator=generator(*self.names, "batches", self.seed, epoch))
            self._epoch, self._batches = epoch, order.tensor_split(self.per_epoch)
        return self._batches

    def _clipped(self, grads: tuple[Tensor, ...]) -> list[Tensor] | tuple[Tensor, ...]:
        """Gradients times ``min(1, clip / norm)``, the norm being that of all of them together."""
        if not self.clip:
            return grads
        norm = torch.nn.utils.get_total_norm(grads)
        return torch._foreach_mul(grads, (self.clip / norm).clamp(max=1.0))

    def _bind(self, params: Tensors) -> None:
        """Let the module compute with these very parameters."""
        for name, parameter in self.parameters.items():
            parameter.data = params[name][0]

    def _copied_buffers(self) -> Tensors:
        return {name: buffer.clone() for name, buffer in self.buffers.items()}

    def _set_buffers(self, values: Tensors) -> None:
        for name, buffer in self.buffers.items():
            buffer.copy_(values[name])
