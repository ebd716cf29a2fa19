"""Fine-tuning: classification with a network that starts from given weights.

The data set (builder transfer) holds the weights. Layers that it leaves out, at least the last one, start at random.
Where it holds outputs of fixed lower blocks, half of the training samples are replaced by those of their mirror images.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from muon_imbalance.data.pretrained import transfer
from muon_imbalance.models.modules import pretrained_weights
from muon_imbalance.training.image_data import Images
from muon_imbalance.training.options import Needs, OnImages
from muon_imbalance.training.tasks.minibatch_classification import Network

NEEDS = Needs(minibatch=True, dataset=True, builders=["transfer"], models="modules")


class Options(OnImages):
    """Classification with a network that starts from given weights."""


class FineTuning(Network):
    """A network that starts from the weights of its data set."""

    def prepare(self) -> None:
        """Read the splits, the weights, and what the fixed blocks make of mirror images."""
        super().prepare()
        self.given, sets = transfer.start(self.data)
        self.groups = replace(self.groups, sets=sets)
        arrays = transfer.load(self.data, "train", [self.seed])
        self.mirrored = None
        if "mirrored" in arrays:
            values, mean, std = (
                torch.from_numpy(arrays[key][0]).to(self.device) for key in ("mirrored", "mean", "std")
            )
            self.mirrored = Images(values, mean.double(), std.double(), self.dtype)

    def make(self) -> nn.Module:
        """The model with the weights that are given; the others are drawn."""
        module = super().make()
        given = {name: torch.from_numpy(value) for name, value in self.given.items()}
        return pretrained_weights.fill(module, given, set(module.state_dict()) - set(given))

    def inputs_of(self, which: Tensor, rng: torch.Generator) -> Tensor:
        """Inputs of a batch, half of them mirrored."""
        if self.mirrored is None:
            return super().inputs_of(which, rng)
        flipped = (torch.rand(len(which), generator=rng) < 0.5).to(self.device)
        which = which.to(self.device)
        return torch.where(flipped[:, None, None, None], self.mirrored.read(which), self.train.inputs.read(which))


TASK = FineTuning
