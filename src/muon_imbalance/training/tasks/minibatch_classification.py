"""Cross-entropy classification with a torch module, on minibatches of images.

A data set's ``load`` gives ``images [R', n, H, W, C]`` with ``mean`` and ``std`` ``[R', C]`` in the same units,
``label [R', n]`` and, where groups are no classes, ``group [R', n]`` (named by the module's ``GROUPS``). Its module may
name sets of classes with ``class_sets(config)``, such as majority and minority.

Measured on the training split (as it is, or ``clock_samples`` of each group) and on those that are evaluated: accuracy
of each group, of each set, ``balanced`` (mean over groups) and ``worst``; with ``group_loss`` also losses. The training
loss (``train, all, loss``) is always there: the mean cross-entropy of the training split, whatever loss is minimised.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muon_imbalance.data import registry as data_sets
from muon_imbalance.training import clock as clocks
from muon_imbalance.training.groups import Groups, Totals, classes
from muon_imbalance.training.image_data import Images
from muon_imbalance.training.metrics.logit_spectrum import logit_kl
from muon_imbalance.training.minibatch import Minibatch, OutputsOf, Split
from muon_imbalance.training.options import Needs, OnImages
from muon_imbalance.training.randomness import generator
from muon_imbalance.training.task import Key

NEEDS = Needs(minibatch=True, dataset=True, builders=["dominoes", "step_imbalance"], models="modules")


class Options(OnImages):
    """Classification with a network on minibatches."""


def stratified(labels: Tensor, share: float) -> Tensor:
    """Every ``1/share``-th sample of each class, in the order of the data; the proportions of the classes are kept."""
    order = torch.argsort(labels, stable=True)
    place = torch.arange(len(order))
    return order[torch.floor((place + 1) * share + 1e-9) > torch.floor(place * share + 1e-9)].sort().values


class Network(Minibatch):
    """A network on a data set of images in classes or groups."""

    def prepare(self) -> None:
        """Read the splits; choose the samples whose logits' spectrum is measured."""
        self.builder, self.metrics = data_sets.module(self.dataset.builder), set(self.options.metrics)
        self.train, *rest = (self.split(name) for name in ("train", *self.options.evaluate))
        self.samples, self.groups = len(self.train.targets), self.named()
        self.sizes = self.train.groups.bincount(minlength=len(self.groups.names))
        rng = generator(*self.names, "clock", self.seed)
        clock = clocks.part_of(self.train, self.options.clock_samples, rng)
        self.splits = {"train": clock} | dict(zip(self.options.evaluate, rest, strict=True))
        if "logit_kl" in self.metrics:
            chosen = stratified(self.train.targets.cpu(), self.options.logit_share)
            self.spectrum = chosen.to(self.device)

    def split(self, name: str) -> Split:
        """Samples of one split."""
        loaded = self.builder.load(self.data, name, [self.seed])
        arrays = {key: torch.from_numpy(value[0]) for key, value in loaded.items()}
        targets = arrays["label"].long().to(self.device)
        groups = arrays["group"].long().to(self.device) if "group" in arrays else targets
        mean, std = (arrays[key].double().to(self.device) for key in ("mean", "std"))
        return Split(Images(arrays["images"].to(self.device), mean, std, self.dtype), targets, groups)

    def named(self) -> Groups:
        """The groups of the data set."""
        return Groups.of(self.builder, self.dataset.config)

    def make(self) -> nn.Module:
        """The model, as it draws its weights."""
        return self.settings[0].model.build(self.train.inputs.shape, classes(self.builder, self.dataset.config))

    def loss(self, outputs_of: OutputsOf, which: Tensor, rng: torch.Generator) -> Tensor:
        """Cross-entropy of a batch."""
        return F.cross_entropy(outputs_of(self.inputs_of(which, rng)), self.train.targets[which.to(self.device)])

    def inputs_of(self, which: Tensor, rng: torch.Generator) -> Tensor:
        """Inputs of a batch: images after random changes."""
        return self.train.inputs.augmented(which, self.options.augment, rng)

    def measure(self, outputs_of: OutputsOf) -> dict[Key, Tensor]:
        """Accuracy (and loss, with ``group_loss``) by group on each split; the training loss; the spectrum."""
        values: dict[Key, Tensor] = {}
        for name in self.splits:
            totals = self.counted(outputs_of, name)
            if name == "train":
                totals.weigh(self.sizes)
            values |= totals.measured(name, self.groups)
            if "group_loss" in self.metrics:
                values |= totals.losses(name, self.groups)
            if name == "train" or "group_loss" in self.metrics:
                values[name, "all", "loss"] = totals.mean_loss()
        if "logit_kl" in self.metrics:
            logits = torch.cat([outputs_of(self.train.inputs.read(part)) for part in self.spectrum.split(self.chunk)])
            values["train", "all", "logit_kl"] = logit_kl(logits.unsqueeze(0))
        return values

    def counted(self, outputs_of: OutputsOf, name: str) -> Totals:
        """Sums by group over a split; for training, over the part that is evaluated."""
        split, losses = self.splits[name], name == "train" or "group_loss" in self.metrics
        totals = Totals(1, len(self.groups.names), losses, self.device)
        for start in range(0, len(split.targets), self.chunk):
            part = slice(start, start + self.chunk)
            logits = outputs_of(split.inputs.read(part)).float()
            totals.add(logits.unsqueeze(0), split.targets[part].unsqueeze(0), split.groups[part].unsqueeze(0))
        return totals


TASK = Network
