"""Next-token prediction with a torch module, on minibatches of windows of tokens (Figs 9, 25, 26, 28).

A data set's ``load`` gives windows and the buckets of the vocabulary (:mod:`muon_imbalance.data.text.corpus`). Measured
on the validation windows, over all tokens and over those of each bucket (``rare``, ``middle``, ``frequent``,
``lower_half``): ``accuracy`` (the most probable token is the right one), ``top5``, ``loss`` (nats) and ``tokens`` (how
many there are); for a generated language also ``ceiling_share``, accuracy over that of a predictor that knows the
grammar. Tokens that the training text did not have are left out. Additions are the group ``additions``:
``exact_match``, and ``accuracy`` and ``loss`` over the tokens of the answers.

Measured on ``clock_windows`` windows of the training text, drawn once: ``accuracy`` and ``loss`` of the same groups,
without dropout; ``train, all, loss`` is the training loss, the mean over these windows' tokens.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.data import registry as data_sets
from muon_imbalance.training.minibatch import Minibatch, OutputsOf
from muon_imbalance.training.options import Needs
from muon_imbalance.training.randomness import generator
from muon_imbalance.training.task import Key

NEEDS = Needs(minibatch=True, dataset=True, builders=["addk", "tales", "tinystories", "toystories"], models="modules")
BUCKETS = {"rare": 0, "middle": 1, "frequent": 2}
UNKNOWN, PADDING = 0, -1


class Options(Settings):
    """Next-token prediction; what is measured follows from the data set."""

    clock_windows: int = Field(
        200,
        ge=0,
        le=10_000_000,
        description="windows of the training text, at most, that training loss and accuracies are measured on; 0: all",
    )


class CrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of ``logits [m, V]`` (float32) for ``targets [m]``, with its gradient ``(softmax - 1_y) / m``.

    The gradient is made in place during the forward pass, a seventh of a small model's step on a CPU less than with
    ``torch.nn.functional.cross_entropy`` (a test compares the two). The gradient of the gradient is not available.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, targets: Tensor) -> Tensor:
        shifted = logits - logits.amax(1, keepdim=True)
        own = shifted.gather(1, targets.unsqueeze(1))
        total = shifted.exp_().sum(1, keepdim=True)
        gradient = shifted.mul_(1 / (total * len(targets)))
        gradient.scatter_add_(1, targets.unsqueeze(1), torch.full_like(own, -1 / len(targets)))
        ctx.save_for_backward(gradient)
        return (total.log() - own).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer, None


class Language(Minibatch):
    """A language model on a text."""

    def prepare(self) -> None:
        """Read the windows; mark the tokens that count in each group."""
        module = data_sets.module(self.dataset.builder)
        train, held = (module.load(self.data, split, [self.seed]) for split in ("train", "validation"))
        self.train = torch.from_numpy(train["windows"]).to(self.device)
        self.held = {key: torch.from_numpy(value).to(self.device) for key, value in held.items()}
        self.samples, self.vocabulary = len(self.train), len(train["count"])
        order = torch.randperm(self.samples, generator=generator(*self.names, "clock", self.seed))
        self.clock = self.train[order[: self.options.clock_windows or None].sort().values.to(self.device)]
        self.groups = self._groups(self.held["windows"][:, 1:])
        targets = self.clock[:, 1:]
        self.clock_groups = self._groups(targets) | {"all": targets != PADDING}  # as the loss counts them

    def make(self) -> nn.Module:
        """The model for windows of this length and this vocabulary."""
        return self.settings[0].model.build((self.train.shape[1] - 1,), self.vocabulary)

    def loss(self, outputs_of: OutputsOf, which: Tensor, rng: torch.Generator) -> Tensor:
        """Mean cross-entropy over the tokens of the windows ``which``."""
        windows = self.train[which.to(self.device)]
        inputs, targets = windows[:, :-1].clamp(min=0), windows[:, 1:]
        there = targets != PADDING
        return CrossEntropy.apply(outputs_of(inputs, there).float(), targets[there])

    def measure(self, outputs_of: OutputsOf) -> dict[Key, Tensor]:
        """Accuracy, top 5, loss and number of tokens by group; shares of the ceiling and additions where known.

        Of training windows accuracy and loss by group.
        """
        rank, losses = self._scored(outputs_of, self.held["windows"])
        values = self._training(outputs_of)
        for name, members in self.groups.items():
            found = {"accuracy": rank[members] == 0, "top5": rank[members] < 5, "loss": losses[members]}
            values |= {("validation", name, key): value.double().mean() for key, value in found.items()}
            values["validation", name, "tokens"] = members.sum().double()
            if "best_1" in self.held:
                ceiling = self.held["best_1"][members].double().mean()
                values["validation", name, "ceiling_share"] = values["validation", name, "accuracy"] / ceiling
        if "additions" in self.held:
            rank, losses = self._scored(outputs_of, self.held["additions"].long())
            asked = self.held["answers"][:, 1:]
            solved = ((rank == 0) | ~asked).all(1)
            found = {"exact_match": solved, "accuracy": rank[asked] == 0, "loss": losses[asked]}
            values |= {("validation", "additions", key): value.double().mean() for key, value in found.items()}
        return {key: value.reshape(1) for key, value in values.items()}

    def _groups(self, targets: Tensor) -> dict[str, Tensor]:
        """Which of the targets ``[N, T]`` count in each group that has some."""
        counted, token = (targets != PADDING) & (targets != UNKNOWN), targets.clamp(min=0)
        groups = {"all": counted, "lower_half": counted & self.held["lower_half"][token]}
        groups |= {name: counted & (self.held["bucket"][token] == number) for name, number in BUCKETS.items()}
        return {name: members for name, members in groups.items() if bool(members.any())}

    def _training(self, outputs_of: OutputsOf) -> dict[Key, Tensor]:
        """Accuracy and loss by group on the windows of the clock."""
        rank, losses = self._scored(outputs_of, self.clock)
        values: dict[Key, Tensor] = {}
        for name, members in self.clock_groups.items():
            found = {"accuracy": rank[members] == 0, "loss": losses[members]}
            values |= {("train", name, key): value.double().mean() for key, value in found.items()}
        return values

    def _scored(self, outputs_of: OutputsOf, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Of each target ``[N, T]``: how many tokens are more probable, and ``-ln p``; without meaning at padding."""
        ranks, losses = [], []
        for part in windows.split(self.chunk):
            targets = part[:, 1:].clamp(min=0).unsqueeze(2)
            logits = outputs_of(part[:, :-1].clamp(min=0)).float()
            own = logits.gather(2, targets)
            ranks.append((logits > own).sum(2))
            losses.append(logits.logsumexp(2) - own.squeeze(2))
        return torch.cat(ranks), torch.cat(losses)


TASK = Language
