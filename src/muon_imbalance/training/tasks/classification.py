"""Cross-entropy classification with a stack of models, full batch, in chunks."""

import json
from itertools import repeat
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from muon_imbalance.common.errors import UserError
from muon_imbalance.models import registry
from muon_imbalance.plan.job import Job
from muon_imbalance.training.engine import Key, Tensors
from muon_imbalance.training.metrics.logit_spectrum import logit_kl
from muon_imbalance.training.metrics.norm_balls import measure as measure_balls
from muon_imbalance.training.randomness import generator
from muon_imbalance.training.stacked_data import Block, Loader, Split

MARGIN_NORMS = {
    "margin_frobenius": lambda weight: torch.linalg.matrix_norm(weight),
    "margin_max": lambda weight: weight.abs().amax((1, 2)),
    "margin_spectral": lambda weight: torch.linalg.matrix_norm(weight, ord=2),
}


def add_by_group(totals: Tensor, groups: Tensor, *values: Tensor) -> None:
    """Add each of ``values [S, n]``, summed over the samples of a group, to ``totals [len(values), S, groups]``."""
    for total, value in zip(totals, values, strict=True):
        total.scatter_add_(1, groups, value.to(total.dtype))


def margin(logits: Tensor, targets: Tensor) -> Tensor:
    """Smallest ``logit[y] - max_{c != y} logit[c]`` over samples, ``[S]`` (F13, before the norm is divided out)."""
    own = logits.gather(2, targets.unsqueeze(2))
    rivals = logits.scatter(2, targets.unsqueeze(2), -torch.inf).amax(2, keepdim=True)
    return (own - rivals).amin((1, 2))


def group_weights(split: Split, dtype: torch.dtype) -> list[Tensor]:
    """Weight ``n / (G n_g)`` of every sample, G groups of ``n_g`` samples: ``[S, n]`` for each block.

    With it the mean loss over samples is the mean over groups of the group's mean loss. Every group must have samples.
    """
    stack = split.blocks[0].groups.shape[0]
    counts = torch.zeros(stack, len(split.groups), dtype=torch.float64, device=split.blocks[0].groups.device)
    for block in split.blocks:
        counts.scatter_add_(1, block.groups, torch.ones_like(block.groups, dtype=counts.dtype))
    if (counts == 0).any():
        raise UserError("weighting: group, but a group has no training samples; allowed: every group has some")
    weights = split.samples / (len(split.groups) * counts)
    return [weights.gather(1, block.groups).to(dtype) for block in split.blocks]


def stackable(settings: dict) -> str:
    """Equal for models that can share a stack: those with the same settings."""
    return json.dumps(settings, sort_keys=True)


def build(settings: list[dict], job: Job, seeds: list[int], data: Path) -> "Classification":
    """The task of a stack."""
    return Classification(settings[0], job.experiment, seeds, getattr(torch, job.dtype), job.device, job.chunk, data)


class Classification:
    """Task: a model on a dataset. ``settings``: ``dataset``, ``model``, ``metrics``, ``evaluate``, ``pixel_range``,
    ``weighting`` (``group``: each sample's cross-entropy counts inversely to the size of its group). Where only
    accuracies are asked of the evaluation splits, they are counted in float32.
    """

    def __init__(self, settings: dict, experiment: str, seeds: list[int], dtype, device: str, chunk: int, data: Path):
        dataset = settings["dataset"]
        loader = Loader(data, settings, seeds, dtype, device)
        self.train = loader.split("train")
        self.metrics, self.chunk, self.dtype, self.device = set(settings["metrics"]), chunk, dtype, device
        self.counted_in = dtype if "group_loss" in self.metrics else torch.float32
        loader = Loader(data, settings, seeds, self.counted_in, device)
        self.splits = {name: loader.split(name) for name in settings["evaluate"]}
        build = registry.load(settings["model"]["name"]).build
        self.model = build(settings["model"], self.train.features, loader.classes)
        self.names = [(experiment, dataset["name"], "init", seed) for seed in seeds]
        self.stack = len(seeds)
        self.weights = group_weights(self.train, dtype) if settings.get("weighting") == "group" else None

    def init(self) -> Tensors:
        params = self.model.init([generator(*name) for name in self.names], self.dtype)
        return {name: value.to(self.device) for name, value in params.items()}

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        grads = {name: torch.zeros_like(value) for name, value in params.items()}
        totals = self._zeros(len(self.train.groups), 2)  # loss, samples
        margins: list[Tensor] = []
        spectrum: list[Tensor] = []  # logits of all samples, kept only where they are measured
        for block, weights in zip(self.train.blocks, self.weights or repeat(None)):  # noqa: B905 (repeat is endless)

            def visit(part: slice, logits: Tensor, losses: Tensor, block: Block = block) -> None:
                groups = block.groups[:, part]
                add_by_group(totals, groups, losses, torch.ones_like(losses))
                if measure and self.metrics & set(MARGIN_NORMS):
                    margins.append(margin(logits, block.targets[:, part]))
                if measure and "logit_kl" in self.metrics:
                    spectrum.append(logits)

            share = 1 / self.train.samples
            self.model.accumulate(params, block.inputs, block.targets, share, self.chunk, grads, visit, weights)
        loss = totals[0].sum(1) / self.train.samples if self.weights is None else (totals[0] / totals[1]).mean(1)
        if not measure:
            return loss, grads, {}
        measured = self._train_metrics(params, grads, loss, totals, margins)
        if spectrum:
            measured["train", "all", "logit_kl"] = logit_kl(torch.cat(spectrum, 1))
        return loss, grads, measured

    def _zeros(self, groups: int, count: int) -> Tensor:
        return torch.zeros(count, self.stack, groups, dtype=torch.float64, device=self.device)

    def _train_metrics(self, params, grads, loss, totals, margins) -> dict[Key, Tensor]:
        values: dict[Key, Tensor] = {("train", "all", "loss"): totals[0].sum(1) / self.train.samples}
        if self.weights is not None:
            values["train", "balanced", "loss"] = loss
        if "group_loss" in self.metrics:
            for index, group in enumerate(self.train.groups):
                values["train", group, "loss"] = totals[0, :, index] / totals[1, :, index]
        if "grad_norm" in self.metrics:
            squares = sum(grad.double().square().flatten(1).sum(1) for grad in grads.values())
            values["train", "all", "grad_norm"] = squares.sqrt()
        for name in sorted(self.metrics & set(MARGIN_NORMS)):
            values["train", "all", name] = torch.stack(margins).amin(0) / MARGIN_NORMS[name](params["layers.0.weight"])
        return values | measure_balls(params, grads, self.metrics, "train")

    @torch.no_grad()
    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Accuracy (and loss, if asked for) by group on each evaluation split, balanced mean, worst group and sets."""
        values: dict[Key, Tensor] = {}
        params = {name: value.to(self.counted_in) for name, value in params.items()}
        for name, split in self.splits.items():
            count, correct, *loss = self._group_totals(params, split)
            accuracy = correct / count
            values |= {(name, group, "accuracy"): accuracy[:, i] for i, group in enumerate(split.groups)}
            values[name, "balanced", "accuracy"] = accuracy.mean(1)
            values[name, "worst", "accuracy"] = accuracy.amin(1)
            for set_, members in split.sets.items():
                values[name, set_, "accuracy"] = correct[:, members].sum(1) / count[:, members].sum(1)
            for total in loss:
                values |= {(name, group, "loss"): (total / count)[:, i] for i, group in enumerate(split.groups)}
        return values

    def _group_totals(self, params: Tensors, split: Split) -> Tensor:
        """Samples, correct predictions and (if asked for) summed loss of each group, ``[2 or 3, S, groups]``."""
        with_loss = "group_loss" in self.metrics
        totals = self._zeros(len(split.groups), 2 + with_loss)
        for block in split.blocks:
            for part, logits in self.model.logits(params, block.inputs, self.chunk):
                targets = block.targets[:, part]
                sums = [torch.ones_like(targets), logits.argmax(2) == targets]
                if with_loss:
                    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
                    sums.append(losses.view(targets.shape))
                add_by_group(totals, block.groups[:, part], *sums)
        return totals
