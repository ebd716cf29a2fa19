"""Cross-entropy classification with a stack of models, full batch, in chunks."""

from itertools import repeat
from typing import Literal

import torch
from pydantic import model_validator
from torch import Tensor

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.training.groups import Totals, add_by_group
from muon_imbalance.training.metrics.logit_spectrum import logit_kl
from muon_imbalance.training.metrics.margins import MARGIN_NORMS, margin
from muon_imbalance.training.metrics.norm_balls import measure as measure_balls
from muon_imbalance.training.options import Ball, Evaluated, Needs
from muon_imbalance.training.randomness import generator
from muon_imbalance.training.stacked_data import Block, Blocks, Loader
from muon_imbalance.training.task import Key, Task, Tensors

NEEDS = Needs(dataset=True, builders=["barcoded_mnist", "colored_mnist", "gaussian_mixture"], models="stacked")


class Options(Settings):
    """Classification with a stack of models, full batch."""

    metrics: list[
        Literal["grad_norm", "group_loss", "logit_kl", "margin_frobenius", "margin_max", "margin_spectral"] | Ball
    ] = Field([], description="measured beside loss and accuracy")
    evaluate: Evaluated = Field(description="splits that are evaluated")
    pixel_range: list[float] = Field(
        [0.0, 1.0], min_length=2, max_length=2, description="values of black and white (pictures in colour)"
    )
    weighting: Literal["none", "group"] = Field(
        "none", description="weights of the samples' cross-entropy: 1, or inverse to the size of the group"
    )

    @model_validator(mode="after")
    def _black_is_not_white(self):
        if self.pixel_range[0] == self.pixel_range[1]:
            raise ValueError(f"pixel_range = {self.pixel_range}; allowed: two different numbers")
        return self


def group_weights(split: Blocks, dtype: torch.dtype) -> list[Tensor]:
    """Weight ``n / (G n_g)`` of every sample, G groups of ``n_g`` samples: ``[S, n]`` for each block.

    With it the mean loss over samples is the mean over groups of the group's mean loss.

    Raises:
        UserError: a group has no samples.
    """
    stack, groups = split.blocks[0].groups.shape[0], len(split.groups.names)
    counts = torch.zeros(stack, groups, dtype=torch.float64, device=split.blocks[0].groups.device)
    for block in split.blocks:
        counts.scatter_add_(1, block.groups, torch.ones_like(block.groups, dtype=counts.dtype))
    if (counts == 0).any():
        raise UserError("weighting: group, but a group has no training samples; allowed: every group has some")
    weights = split.samples / (groups * counts)
    return [weights.gather(1, block.groups).to(dtype) for block in split.blocks]


class Classification(Task):
    """A stack of models on a data set; models of equal settings share a stack.

    Where only accuracies are measured on the evaluation splits, they are counted in float32.
    """

    def prepare(self) -> None:
        """Read the splits and build the model."""
        options, rest = self.options, (self.options.pixel_range, self.seeds)
        loader = Loader(self.data, self.dataset, *rest, self.dtype, self.device)
        self.train, self.metrics = loader.split("train"), set(options.metrics)
        self.counted_in = self.dtype if "group_loss" in self.metrics else torch.float32
        loader = Loader(self.data, self.dataset, *rest, self.counted_in, self.device)
        self.splits = {name: loader.split(name) for name in options.evaluate}
        self.model = self.settings[0].model.build((self.train.features,), loader.classes)
        self.weights = group_weights(self.train, self.dtype) if options.weighting == "group" else None

    def init(self) -> Tensors:
        """Initial parameters, each model's from its own repetition.

        Raises:
            UserError: a margin is measured on a model that has more than one matrix.
        """
        params = self.model.init([generator(*self.names, "init", seed) for seed in self.seeds], self.dtype)
        if (margins := sorted(self.metrics & set(MARGIN_NORMS))) and list(params) != ["layers.0.weight"]:
            raise UserError(f"metrics: {margins[0]} is for models with one trained matrix; this one has {len(params)}")
        return {name: value.to(self.device) for name, value in params.items()}

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        """Loss ``[S]`` and its gradient, chunk by chunk; the metrics of the training split, accuracy by group."""
        grads = {name: torch.zeros_like(value) for name, value in params.items()}
        totals = Totals(self.stack, len(self.train.groups.names), True, self.device)
        margins: list[Tensor] = []
        spectrum: list[Tensor] = []  # logits of all samples, kept only where they are measured
        for block, weights in zip(self.train.blocks, self.weights or repeat(None)):  # noqa: B905 (repeat is endless)

            def visit(part: slice, logits: Tensor, losses: Tensor, block: Block = block) -> None:
                targets = block.targets[:, part]
                right = logits.argmax(2) == targets if measure else torch.zeros_like(targets)
                add_by_group(totals.sums, block.groups[:, part], torch.ones_like(losses), right, losses)
                if measure and self.metrics & set(MARGIN_NORMS):
                    margins.append(margin(logits, targets))
                if measure and "logit_kl" in self.metrics:
                    spectrum.append(logits)

            share = 1 / self.train.samples
            self.model.accumulate(params, block.inputs, block.targets, share, self.chunk, grads, visit, weights)
        loss = totals.mean_loss() if self.weights is None else (totals.sums[2] / totals.sums[0]).mean(1)
        if not measure:
            return loss, grads, {}
        measured = self._train_metrics(params, grads, loss, totals, margins)
        if spectrum:
            measured["train", "all", "logit_kl"] = logit_kl(torch.cat(spectrum, 1))
        return loss, grads, measured

    def _train_metrics(self, params, grads, loss, totals: Totals, margins) -> dict[Key, Tensor]:
        values = {("train", "all", "loss"): totals.mean_loss()} | totals.measured("train", self.train.groups)
        if self.weights is not None:
            values["train", "balanced", "loss"] = loss
        if "group_loss" in self.metrics:
            values |= totals.losses("train", self.train.groups)
        if "grad_norm" in self.metrics:
            squares = sum(grad.double().square().flatten(1).sum(1) for grad in grads.values())
            values["train", "all", "grad_norm"] = squares.sqrt()
        for name in sorted(self.metrics & set(MARGIN_NORMS)):
            values["train", "all", name] = torch.stack(margins).amin(0) / MARGIN_NORMS[name](params["layers.0.weight"])
        return values | measure_balls(params, grads, self.metrics, "train")

    @torch.no_grad()
    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Accuracy (and loss, with ``group_loss``) by group on each evaluation split, balanced mean, worst, sets."""
        values: dict[Key, Tensor] = {}
        params = {name: value.to(self.counted_in) for name, value in params.items()}
        for name, split in self.splits.items():
            totals = Totals(self.stack, len(split.groups.names), "group_loss" in self.metrics, self.device)
            for block in split.blocks:
                for part, logits in self.model.logits(params, block.inputs, self.chunk):
                    totals.add(logits, block.targets[:, part], block.groups[:, part])
            values |= totals.measured(name, split.groups)
            if "group_loss" in self.metrics:
                values |= totals.losses(name, split.groups)
        return values


TASK = Classification
