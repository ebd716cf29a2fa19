"""Cross-entropy classification with a torch module, on minibatches of images.

A data set's ``load`` gives ``images [R', n, H, W, C]`` with ``mean`` and ``std`` ``[R', C]`` in the same units,
``label [R', n]`` and, where groups are no classes, ``group [R', n]`` (named by the module's ``GROUPS``). Its module may
name sets of classes with ``class_sets(config)``, such as majority and minority.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from muon_imbalance.data import registry as data_sets
from muon_imbalance.models import registry as models
from muon_imbalance.plan.job import Job
from muon_imbalance.training.engine import Key
from muon_imbalance.training.image_data import Images
from muon_imbalance.training.metrics.logit_spectrum import logit_kl
from muon_imbalance.training.minibatch import Minibatch, OutputsOf


def stackable(settings: dict) -> str:
    """Models are trained one by one."""
    return json.dumps(settings, sort_keys=True)


def build(settings: list[dict], job: Job, seeds: list[int], data: Path) -> "Network":
    """The task of one model."""
    return Network(settings[0], job, seeds[0], data)


def stratified(labels: Tensor, share: float) -> Tensor:
    """Every ``1/share``-th sample of each class, in the order of the data; the proportions of the classes are kept."""
    order = torch.argsort(labels, stable=True)
    place = torch.arange(len(order))
    return order[torch.floor((place + 1) * share + 1e-9) > torch.floor(place * share + 1e-9)].sort().values


class Split:
    """Samples of one split: inputs, class ``targets [n]`` and ``groups [n]``, on the device."""

    def __init__(self, module, path: Path, name: str, seed: int, dtype: torch.dtype, device: torch.device):
        arrays = {key: torch.from_numpy(value[0]) for key, value in module.load(path, name, [seed]).items()}
        self.targets = arrays["label"].long().to(device)
        self.groups = arrays["group"].long().to(device) if "group" in arrays else self.targets
        mean, std = (arrays[key].double().to(device) for key in ("mean", "std"))
        self.inputs = Images(arrays["images"].to(device), mean, std, dtype)


class Network(Minibatch):
    """Task: a network on a data set. ``settings``: ``dataset``, ``model``, ``metrics``, ``evaluate``, ``augment``
    (``{crop, flip}``, for training batches), ``logit_share`` (part of the training samples whose logits' spectrum is
    measured).
    """

    def __init__(self, settings: dict, job: Job, seed: int, data: Path):
        dataset = settings["dataset"]
        module, names = data_sets.module(dataset["builder"]), ("train", *settings["evaluate"])
        dtype, device = getattr(torch, job.dtype), torch.device(job.device)
        self.train, *rest = (Split(module, data, name, seed, dtype, device) for name in names)
        self.splits = dict(zip(settings["evaluate"], rest, strict=True))
        self.metrics, self.augment, self.chunk = set(settings["metrics"]), settings.get("augment", {}), job.chunk
        classes = module.classes(dataset["config"])
        own = "GROUPS" in vars(module)
        self.group_names = module.GROUPS if own else tuple(f"class_{c}" for c in range(classes))
        self.sets = {} if own else getattr(module, "class_sets", lambda _: {})(dataset["config"])
        if "logit_kl" in self.metrics:
            self.spectrum = stratified(self.train.targets.cpu(), settings.get("logit_share", 1.0)).to(device)
        make = models.load(settings["model"]["name"]).build
        super().__init__(job, dataset["name"], seed, len(self.train.targets),
                         lambda: make(settings["model"], self.train.inputs.shape, classes))  # fmt: skip

    def loss(self, outputs_of: OutputsOf, which: Tensor, rng: torch.Generator) -> Tensor:
        inputs = self.train.inputs.augmented(which, self.augment, rng)
        return F.cross_entropy(outputs_of(inputs), self.train.targets[which.to(self.device)])

    def measure(self, outputs_of: OutputsOf) -> dict[Key, Tensor]:
        """Accuracy (and loss, if asked for) by group on each split, balanced mean, worst group, sets; the spectrum."""
        values: dict[Key, Tensor] = {}
        for name, split in self.splits.items():
            values |= {(name, *key): value.reshape(1) for key, value in self._by_group(outputs_of, split).items()}
        if "logit_kl" in self.metrics:
            logits = torch.cat([outputs_of(self.train.inputs.read(part)) for part in self.spectrum.split(self.chunk)])
            values["train", "all", "logit_kl"] = logit_kl(logits.unsqueeze(0))
        return values

    def _by_group(self, outputs_of: OutputsOf, split: Split) -> dict[tuple[str, str], Tensor]:
        """``(group, metric) -> value``."""
        with_loss = "group_loss" in self.metrics
        totals = torch.zeros(2 + with_loss, len(self.group_names), dtype=torch.float64, device=self.device)
        for start in range(0, len(split.targets), self.chunk):
            part = slice(start, start + self.chunk)
            logits, targets = outputs_of(split.inputs.read(part)), split.targets[part]
            sums = [torch.ones_like(targets), logits.argmax(1) == targets]
            sums += [F.cross_entropy(logits.float(), targets, reduction="none")] if with_loss else []
            totals.index_add_(1, split.groups[part], torch.stack([value.to(totals.dtype) for value in sums]))
        count, correct, *loss = totals
        accuracy = correct / count
        values = {(group, "accuracy"): accuracy[i] for i, group in enumerate(self.group_names)}
        values |= {("balanced", "accuracy"): accuracy.mean(), ("worst", "accuracy"): accuracy.amin()}
        for name, members in self.sets.items():
            values[name, "accuracy"] = correct[members].sum() / count[members].sum()
        for total in loss:
            values |= {(group, "loss"): total[i] / count[i] for i, group in enumerate(self.group_names)}
            values["all", "loss"] = total.sum() / count.sum()
        return values
