"""Bilinear model ``logits = W H`` fitted to a table of conditional probabilities by cross-entropy (Fig. 27, App. D.6).

L = -1/m sum_a sum_o P(o | a) log S(o | a),   S = softmax over organisms of W H
dL/dW = G H^T,   dL/dH = W^T G,   G = (S - P) / m          (m attributes, full batch)
"""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.data.tables import concepts, organisms
from muon_imbalance.training.options import Count, Needs
from muon_imbalance.training.randomness import generator
from muon_imbalance.training.task import Key, Task, Tensors

NEEDS = Needs(dataset=True, builders=["organisms"])


class Factors(Settings):
    """The two factors of the logits."""

    name: Literal["bilinear"] = Field("bilinear", description="the one model of this task")
    hidden: list[Count] = Field(min_length=1, max_length=1, description="width between the factors")
    init_std: float = Field(ge=0, description="standard deviation of the initial entries")


class Options(Settings):
    """A bilinear model of a table of attributes."""

    model: Factors = Field(description="width of the factors, and where they start")


class Bilinear(Task):
    """``left [S, organisms, hidden]`` and ``right [S, hidden, attributes]``, entries ``N(0, init_std^2)``.

    Measured on the table itself (split train):

    * ``loss``, and ``excess_loss`` above its minimum, the mean entropy of ``P(. | a)``;
    * ``component`` of every singular mode and ``distinction`` of every pair of sibling categories, the learned share
      of each (:mod:`muon_imbalance.data.tables.concepts`), and ``strength``, the projection on a mode itself;
    * ``answer``, the place of the most probable organism given each attribute (group ``attribute_<place>``), and
      ``recall`` by level, the share of attributes whose answer has them (mean over categories);
    * ``mass``, a confusion matrix with group ``<row>><column>``: the probability of category column given an attribute
      that names category row (mean over these).
    """

    def prepare(self) -> None:
        """Read the table and make what is measured on it."""
        (self.hidden,), self.init_std = self.options.model.hidden, self.options.model.init_std
        self.table = table = organisms.load_table(self.data)
        self.target = self.tensor(table.probability)
        self.entropy = float(table.has.sum(1).dot([math.log(n) / n for n in table.has.sum(1)]) / len(table.attributes))
        self.directions = {"component": concepts.modes(table), "distinction": concepts.distinctions(table)}
        self.templates = {metric: self.tensor(found.templates) for metric, found in self.directions.items()}
        self.members = self.tensor(table.members)  # [categories, organisms]
        named = table.category == torch.arange(len(table.categories)).unsqueeze(1).numpy()
        self.rows = self.tensor(named / named.sum(1, keepdims=True))  # [categories, attributes], means over rows
        self.levels = {level: self.rows[table.level == level] for level in sorted(set(table.level.tolist()))}

    def init(self) -> Tensors:
        """Both factors, each model's from its own repetition."""
        shapes = {"left": (len(self.target), self.hidden), "right": (self.hidden, self.target.shape[1])}
        params: dict[str, list[Tensor]] = {name: [] for name in shapes}
        for seed in self.seeds:
            rng = generator(*self.names, "init", seed)
            for name, shape in shapes.items():
                params[name].append(self.init_std * torch.randn(shape, generator=rng, dtype=torch.float64))
        return {name: torch.stack(drawn).to(self.device, self.dtype) for name, drawn in params.items()}

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        """Loss ``[S]`` and the gradients of both factors."""
        log_s = torch.log_softmax(torch.bmm(params["left"], params["right"]), 1)  # [S, organisms, attributes]
        count = self.target.shape[1]
        loss = -(self.target * log_s).sum((1, 2)) / count
        slope = (log_s.exp() - self.target) / count
        grads = {
            "left": torch.bmm(slope, params["right"].mT),
            "right": torch.bmm(params["left"].mT, slope),
        }
        measured = {("train", "all", "loss"): loss, ("train", "all", "excess_loss"): loss - self.entropy}
        return loss, grads, measured if measure else {}

    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Components, distinctions, answers, recall and confusion, as listed above."""
        s = torch.softmax(torch.bmm(params["left"], params["right"]), 1)  # [S, organisms, attributes]
        values: dict[Key, Tensor] = {}

        def add(metric: str, names: Iterable[str], columns: Tensor) -> None:
            values.update({("train", name, metric): columns[:, i] for i, name in enumerate(names)})

        for metric, found in self.directions.items():
            shares = torch.einsum("soa,moa->sm", s - 1 / len(self.target), self.templates[metric])
            add(metric, found.names, shares)
            if metric == "component":
                add("strength", found.names, shares * self.tensor(found.size))
        answer = s.argmax(1)  # [S, attributes]
        add("answer", [f"attribute_{a}" for a in range(answer.shape[1])], answer)
        right = (self.target > 0).to(s).mT.expand(len(s), -1, -1).gather(2, answer.unsqueeze(2)).squeeze(2)
        for level, rows in self.levels.items():
            values["train", f"level_{level + 1}", "recall"] = (right @ rows.mT).mean(1)
        names = self.table.categories
        mass = torch.einsum("ra,soa,co->src", self.rows, s, self.members).flatten(1)
        add("mass", [f"{row}>{column}" for row in names for column in names], mass)
        return values


TASK = Bilinear
