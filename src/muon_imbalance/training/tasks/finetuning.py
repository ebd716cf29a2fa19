"""Fine-tuning: classification with a network that starts from given weights.

The data set (builder transfer) holds the weights. Layers that it leaves out, at least the last one, start at random.
Where it holds outputs of fixed lower blocks, half of the training samples are replaced by those of their mirror images.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.pretrained import transfer
from muon_imbalance.plan.job import Job
from muon_imbalance.training.image_data import Images
from muon_imbalance.training.minibatch import OutputsOf
from muon_imbalance.training.tasks import network

stackable = network.stackable


def build(settings: list[dict], job: Job, seeds: list[int], data: Path) -> "FineTuning":
    """The task of one model."""
    return FineTuning(settings[0], job, seeds[0], data)


class FineTuning(network.Network):
    """Task: a network that starts from the weights of its data set; ``settings`` as for the network task."""

    def __init__(self, settings: dict, job: Job, seed: int, data: Path):
        super().__init__(settings, job, seed, data)
        weights, self.sets = transfer.start(data)
        held = dict(self.module.named_parameters()) | self.buffers
        if unfit := [name for name, value in weights.items() if name not in held or held[name].shape != value.shape]:
            raise UserError(
                f"finetuning: the weights' {unfit[0]!r} is not one of the model's, or has another shape; allowed: a "
                "model that begins at the data set's block, and layers of other shapes named under new"
            )
        with torch.no_grad():
            for name, value in weights.items():
                held[name].copy_(torch.from_numpy(value))
        self.initial = {name: p.detach().clone() for name, p in self.parameters.items()}
        self.at_record = self._copied_buffers()
        arrays = transfer.load(data, "train", [seed])
        self.mirrored = None
        if "mirrored" in arrays:
            values, mean, std = (
                torch.from_numpy(arrays[key][0]).to(self.device) for key in ("mirrored", "mean", "std")
            )
            self.mirrored = Images(values, mean.double(), std.double(), getattr(torch, job.dtype))

    def loss(self, outputs_of: OutputsOf, which: Tensor, rng: torch.Generator) -> Tensor:
        """Cross-entropy of a batch, half of it mirrored."""
        if self.mirrored is None:
            return super().loss(outputs_of, which, rng)
        flipped = (torch.rand(len(which), generator=rng) < 0.5).to(self.device)
        which = which.to(self.device)
        inputs = torch.where(flipped[:, None, None, None], self.mirrored.read(which), self.train.inputs.read(which))
        return F.cross_entropy(outputs_of(inputs), self.train.targets[which])
