"""Every stack of the configuration against the loop, in one thread: an update of the stack, and of single models."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.sweep_models import RANGE, module, torch_optimizers, train_step
from benchmarks.sweep_ways import Cost, one_thread
from muon_imbalance.models import registry as models
from muon_imbalance.models.stacked.chain import Chain
from muon_imbalance.models.stacked.inputs import Tinted
from muon_imbalance.optimizers import registry as optimizers
from muon_imbalance.plan.planning import Plan
from muon_imbalance.training.engine import finite
from muon_imbalance.training.groups import Groups
from muon_imbalance.training.stacked_data import COLOUR_GROUPS, Block, Blocks
from muon_imbalance.training.tasks.stacked_classification import Classification

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Stacked:
    """A stack of an experiment: ``features`` inputs (of grey images: ``pixels``, else 0), ``samples``, ``classes``."""

    name: str
    model: dict
    stack: int
    chunk: int
    dtype: str
    samples: int
    features: int
    classes: int
    pixels: int = 0


def configured(config: dict | None = None) -> Iterator[Stacked]:
    """Stacks of the classification experiments whose model is a chain of layers, on data sets of known size.

    ``config``: data sets and experiments (default: the project's, at laptop scale).
    """
    config = config or Plan.read(ROOT).config
    for name, experiment in config["experiments"].items():
        if experiment["task"] != "stacked_classification" or experiment["stack"] == 1:
            continue
        held = config["datasets"][experiment["dataset"]]
        variants = list(experiment.get("variants", {}).values())
        model = experiment["model"] | (variants[-1].get("model", {}) if variants else {})  # the last, largest one
        options, fixed = held["config"], (name, model, experiment["stack"], experiment["chunk"])
        if held["builder"] == "colored_mnist":
            pixels = int(options["resolution"]) ** 2
            yield Stacked(*fixed, experiment["dtype"], options["train"], 3 * pixels, 2, pixels)
        elif held["builder"] == "gaussian_mixture":
            shape = (options["train"], options["dimension"], options["classes"])
            yield Stacked(*fixed, experiment["dtype"], *shape)


class Task(Classification):
    """The classification task on random inputs instead of a data set."""

    def __init__(self, given: Stacked):
        rng, dtype = torch.Generator().manual_seed(0), getattr(torch, given.dtype)
        shape = (given.stack, given.samples, given.pixels or given.features)
        inputs = torch.rand(shape, generator=rng, dtype=dtype)
        targets = torch.randint(0, given.classes, shape[:2], generator=rng)
        if given.pixels:
            half, blocks = given.samples // 2, []
            for colour, part in enumerate((slice(None, half), slice(half, None))):
                background = torch.tensor([colour == 0, colour == 1, 0], dtype=dtype)
                tint = ((RANGE[1] - RANGE[0]) * (1 - background), RANGE[0] + (RANGE[1] - RANGE[0]) * background)
                groups = (targets[:, part] != colour).long()
                blocks.append(Block(Tinted(inputs[:, part], *tint), targets[:, part], groups))
            self.train = Blocks(blocks, Groups(COLOUR_GROUPS))
        else:
            names = tuple(f"class_{c}" for c in range(given.classes))
            self.train = Blocks([Block(inputs, targets, targets)], Groups(names))
        self.splits, self.metrics, self.weights = {}, set(), None
        self.chunk, self.dtype, self.device = given.chunk, dtype, "cpu"
        self.model = models.chosen(given.model, given.name, "stacked").build((given.features,), given.classes)
        self.names, self.seeds, self.stack = ("stacks", "noise"), list(range(given.stack)), given.stack

    def alone(self, position: int) -> tuple[Tensor, Tensor]:
        """Rendered inputs and targets of one model."""
        parts = [b.inputs.dense() if isinstance(b.inputs, Tinted) else b.inputs for b in self.train.blocks]
        targets = torch.cat([block.targets[position] for block in self.train.blocks])
        return torch.cat([part[position] for part in parts]).contiguous(), targets

    def module(self, params: dict[str, Tensor]) -> torch.nn.Sequential:
        """The first model as a plain module; a layer that is not trained there is not trained here."""
        rendered = torch.zeros(self.stack, 1, self.train.features, dtype=self.dtype)
        held = {}
        for i, (weight, bias) in enumerate(self.model._layers(params, rendered)[1]):
            held |= {f"layers.{i}.weight": weight[:1]} | ({} if bias is None else {f"layers.{i}.bias": bias[:1]})
        net = module(held)
        for name, parameter in zip(held, net.parameters(), strict=True):
            parameter.requires_grad_(name in params)
        return net


def measure(given: Stacked, rounds: int, rule: str = "adam", updates: int = 2) -> list[tuple[Cost, Cost]] | None:
    """(loop, stack) of each round, in processor seconds per model and update; None where the model is no chain."""
    with one_thread():
        task = Task(given)
        if not isinstance(task.model, Chain):
            return None
        params = task.init()
        optimizer = optimizers.build(rule, lr=1e-4)
        held = {"params": params, "state": optimizer.init(params)}
        net, (x, y) = task.module(params), task.alone(0)
        theirs = torch_optimizers(rule, [p for p in net.parameters() if p.requires_grad], 1e-4)

        def stacked() -> None:
            loss, grads, _ = task.gradients(held["params"], False)
            finite(loss, grads)
            held["params"], held["state"] = optimizer.step(held["params"], grads, held["state"])

        def single() -> None:
            train_step(net, theirs, x, y)

        found = []
        for turn in range(rounds + 1):  # the first one is not counted
            times = {}
            for name, work, count in (("loop", single, given.stack), ("stack", stacked, 1))[:: 1 - 2 * (turn % 2)]:
                times[name] = _seconds(work, count * updates) / (given.stack * updates)
            found.append((Cost(times["loop"], times["loop"]), Cost(times["stack"], times["stack"])))
        return found[1:]


def _seconds(work, count: int) -> float:
    begin = time.thread_time()
    for _ in range(count):
        work()
    return time.thread_time() - begin


def agreement(given: Stacked) -> float:
    """Largest relative difference between the gradients of the stack's first model and of its plain module."""
    task = Task(given)
    params = task.init()
    _, grads, _ = task.gradients(params, False)
    net, (x, y) = task.module(params), task.alone(0)
    torch.nn.functional.cross_entropy(net(x), y).backward()
    theirs = [p.grad for p in net.parameters() if p.requires_grad]
    pairs = zip(grads.values(), theirs, strict=True)
    return max(float((own[0] - other).norm() / other.norm()) for own, other in pairs)


def spread(rounds: list[tuple[Cost, Cost]]) -> tuple[float, float, float]:
    """Quartiles of the ratios within the rounds."""
    return tuple(np.quantile([loop.cpu / stack.cpu for loop, stack in rounds], (0.25, 0.5, 0.75)))
