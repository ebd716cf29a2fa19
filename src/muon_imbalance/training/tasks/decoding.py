"""Decoded accuracy (Fig. 7): what a new last layer can read from a network's features when groups are balanced.

Features (inputs of the last linear layer) are frozen and standardised by their mean and deviation on the validation
split. An L1-penalised logistic regression (liblinear) is fitted on group-balanced validation samples: its strength is
chosen on half of them by worst-group accuracy on the other half; then it is fitted anew on resamples of all of them,
the resamples' weights are averaged, and accuracies are those on the test split. Source: Kirichenko et al. 2023, "Last
layer re-training is sufficient for robustness to spurious correlations" (DFR). A resample draws with replacement, as
many samples of each group as the smallest group has: where the validation split is balanced, as here, draws without
replacement would all be the same.
"""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import model_validator
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.training.groups import Totals, add_by_group
from muon_imbalance.training.minibatch import OutputsOf
from muon_imbalance.training.options import Needs, OnImages
from muon_imbalance.training.task import Key
from muon_imbalance.training.tasks.minibatch_classification import Network

NEEDS = Needs(minibatch=True, dataset=True, builders=["dominoes"], models="modules")


class Decode(Settings):
    """How decoded accuracy is measured."""

    resamples: int = Field(
        ge=1, le=10_000, description="resamples of the validation set whose last layers are averaged"
    )


class Options(OnImages):
    """Classification with a network on minibatches, and decoded accuracy."""

    decode: Decode = Field(description="how decoded accuracy is measured")

    @model_validator(mode="after")
    def _both_splits(self):
        if {"validation", "test"} - set(self.evaluate):
            raise ValueError(f"evaluate = {self.evaluate}; allowed: both validation and test (decoding needs them)")
        return self


STRENGTHS = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)
"""Values of C, the inverse of the penalty's weight."""


@dataclass(frozen=True)
class Samples:
    """Features ``[n, d]`` with class (0 or 1) and group of each sample."""

    features: np.ndarray
    label: np.ndarray
    group: np.ndarray

    def part(self, which: np.ndarray) -> "Samples":
        """The samples with these numbers."""
        return Samples(self.features[which], self.label[which], self.group[which])


def by_group(samples: Samples, weights: np.ndarray, groups: int) -> np.ndarray:
    """Accuracy of each group for ``weights [d + 1]`` (the last one is the intercept)."""
    right = (samples.features @ weights[:-1] + weights[-1] > 0) == (samples.label == 1)
    sums, group = torch.zeros(2, 1, groups, dtype=torch.float64), torch.from_numpy(samples.group)[None]
    add_by_group(sums, group, torch.ones_like(group), torch.from_numpy(right)[None])
    return (sums[1, 0] / sums[0, 0]).numpy()


def fitted(samples: Samples, strength: float, seed: int) -> np.ndarray:
    """Weights and intercept ``[d + 1]`` of the logistic regression."""
    model = LogisticRegression(l1_ratio=1.0, C=strength, solver="liblinear", random_state=seed % 2**31)
    model.fit(samples.features, samples.label)
    return np.append(model.coef_[0], model.intercept_[0])


def decoded(validation: Samples, test: Samples, groups: int, resamples: int, seed: int) -> np.ndarray:
    """Test accuracy of each group after the protocol above.

    Raises:
        UserError: a group has fewer than two validation samples.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(validation.group == g) for g in range(groups)]
    smallest = min(map(len, members))
    if smallest < 2:
        raise UserError(f"decoded accuracy: a group has {smallest} validation samples; allowed: at least 2")
    mean, std = validation.features.mean(0), validation.features.std(0)
    std = np.where(std > 0, std, 1.0)
    validation, test = (Samples((s.features - mean) / std, s.label, s.group) for s in (validation, test))
    shuffled = [rng.permutation(which)[:smallest] for which in members]
    fit_on, choose_on = (
        np.concatenate([which[part] for which in shuffled])
        for part in (slice(None, smallest // 2), slice(smallest // 2, None))
    )
    worst = [
        by_group(validation.part(choose_on), fitted(validation.part(fit_on), strength, seed), groups).min()
        for strength in STRENGTHS
    ]
    best = STRENGTHS[int(np.argmax(worst))]
    draws = [np.concatenate([rng.choice(which, smallest) for which in members]) for _ in range(resamples)]
    weights = np.mean([fitted(validation.part(draw), best, seed + i) for i, draw in enumerate(draws)], axis=0)
    return by_group(test, weights, groups)


class Decoding(Network):
    """A network whose decoded accuracies are measured beside its own (metric ``decoded``).

    Features are those of the validation and of the test split, in evaluation mode.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.rng_seed = stable_seed(*self.names, "decoding", self.seed) % 2**62
        self.seen: dict[str, Tensor] = {}  # by split: inputs of the last layer at the latest record
        self.last = [module for module in self.module.modules() if isinstance(module, nn.Linear)][-1]

    def measure(self, outputs_of: OutputsOf) -> dict[Key, Tensor]:
        """Accuracies of the network, then decoded ones by group, their mean and the worst group's."""
        values = super().measure(outputs_of)
        samples, names = [self._samples(name) for name in ("validation", "test")], self.groups.names
        accuracy = decoded(*samples, len(names), self.options.decode.resamples, self.rng_seed)
        found = dict(zip(names, accuracy, strict=True))
        found |= {"balanced": accuracy.mean(), "worst": accuracy.min()}
        return values | {
            ("test", group, "decoded"): torch.tensor([value], dtype=torch.float64) for group, value in found.items()
        }

    def counted(self, outputs_of: OutputsOf, name: str) -> Totals:
        """As the network's; what the last layer reads is kept (not of the training split)."""
        if name == "train":
            return super().counted(outputs_of, name)
        seen: list[Tensor] = []
        hook = self.last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            return super().counted(self.module, name)  # a compiled module would not call the hook
        finally:
            hook.remove()
            self.seen[name] = torch.cat(seen)

    def _samples(self, name: str) -> Samples:
        features, split = self.seen.pop(name).double().cpu().numpy(), self.splits[name]
        return Samples(features, split.targets.cpu().numpy(), split.groups.cpu().numpy())


TASK = Decoding
