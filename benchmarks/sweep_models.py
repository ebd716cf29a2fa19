"""What the sweeps train: synthetic Colored-MNIST, the jobs, and the same runs as plain torch modules.

The pixels are noise: times do not depend on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muon_imbalance.data.digits import colored_mnist, mnist
from muon_imbalance.data.store import manifest
from muon_imbalance.plan.job import Job
from muon_imbalance.stages.train import make_task

RANGE = (-1, 1)


@dataclass(frozen=True)
class Plan:
    """Sizes of one measurement.

    Attributes:
        samples, models: training images; name -> hidden widths.
        rules: optimizers; ``lrs`` rates x ``seeds`` are the runs of a sweep.
        stack, workers: models trained at once; processes of one thread.
        steps, loop_models, rounds: updates of a timed piece, models of the loop in it, repetitions.
        run_steps: updates of a run in the comparison with one process per run, which pays its start each time.
        run_samples, run_lrs, run_rounds: there, by model: images and rates (x ``seeds``) of the sweep; repetitions.
        stack_rounds: repetitions for the stacks of the configuration, of about a second each.
    """

    samples: int = 4000
    models: dict[str, list[int]] = field(
        default_factory=lambda: {"one hidden layer": [128], "four layers": [128, 128, 128]}
    )
    rules: tuple[str, ...] = ("adam", "muon")
    lrs: int = 12
    seeds: int = 5
    stack: int = 5
    chunk: int = 512
    workers: int = 2
    steps: int = 12
    loop_models: int = 5
    rounds: int = 3
    run_steps: int = 128
    run_samples: dict[str, int] = field(default_factory=lambda: {"one hidden layer": 1000, "four layers": 4000})
    run_lrs: dict[str, int] = field(default_factory=lambda: {"one hidden layer": 12, "four layers": 3})
    run_rounds: int = 2
    stack_rounds: int = 3
    dtype: str = "float32"

    def rates(self, count: int) -> list[str]:
        """Learning rates as text, all small: no run diverges."""
        return [f"{1e-4 * (1 + i):.4g}" for i in range(count)]


def digits(folder: Path, train: int, test: int) -> Path:
    """A data set in MNIST's place: noise."""
    rng, arrays = np.random.default_rng(0), {}
    for split, count in (("train", train), ("test", test)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % 10).astype(np.uint8)
    facts = {"name": "noise", "kind": "generated", "label": "noise", "licence": "none", "citation": "none"}
    manifest.write(folder, arrays, facts | {"source": {}, "builder": "mnist", "config": {}}, mnist.describe(arrays))
    return folder


def dataset(folder: Path, samples: int, seeds: int) -> Path:
    """Colored-MNIST of ``samples`` training images, 14 x 14, one repetition a seed."""
    parent = digits(folder / "digits", samples + samples // 2 + 200, 200)
    sizes = {"train": samples, "validation": 20, "test": 20, "repetitions": seeds}
    colored_mnist.build({"parent": "noise", "correlation": 0.9, **sizes}, {"noise": parent}, folder / "colored")
    return folder / "colored"


def job(plan: Plan, model: str, rule: str, lrs: list[str], seeds: list[int], steps: int) -> Job:
    """A sweep as the pipeline gives it to its training stage; nothing is evaluated."""
    return Job(
        experiment="sweeps", optimizer=rule, phase="final", task="stacked_classification", rule=rule,
        hyper={"muon": {"momentum": 0.9, "ns_steps": 5}}.get(rule, {}),
        cells=[{"lr": lr} for lr in lrs], seeds=seeds, steps=steps, record={"every": steps},
        settings={
            "dataset": {"name": "colored", "builder": "colored_mnist", "config": {}},
            "model": {"name": "mlp", "hidden": plan.models[model]},
            "metrics": [], "evaluate": [], "pixel_range": list(RANGE),
        },
        stack=plan.stack, chunk=plan.chunk, dtype=plan.dtype,
    )  # fmt: skip


def module(params: dict[str, Tensor]) -> nn.Sequential:
    """Linear layers with ReLU in between, from the parameters of a stack of one."""
    layers: list[nn.Module] = []
    count = sum(name.endswith("weight") for name in params)
    for i in range(count):
        weight, bias = params[f"layers.{i}.weight"][0], params.get(f"layers.{i}.bias")
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, dtype=weight.dtype)
        with torch.no_grad():
            linear.weight.copy_(weight)
            if bias is not None:
                linear.bias.copy_(bias[0])
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def torch_optimizers(rule: str, parameters: list[Tensor], lr: float) -> list[torch.optim.Optimizer]:
    """PyTorch's own optimizers for a rule: Muon's matrices there, its vectors with Adam."""
    if rule == "adam":
        return [torch.optim.Adam(parameters, lr=lr)]
    matrices, vectors = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim < 2]
    muon = torch.optim.Muon(matrices, lr=lr, momentum=0.9, weight_decay=0.0)
    return [muon, torch.optim.Adam(vectors, lr=lr, betas=(0.9, 0.95), eps=1e-10)] if vectors else [muon]


def batch(data: Path, seed: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Rendered training images ``[n, 3 * P]`` and labels of one repetition."""
    held = colored_mnist.load(data, "train", [seed])
    low, high = RANGE
    pixels = low + (high - low) * colored_mnist.render(held["grey"][0], held["colour"][0], held["background"])
    return torch.from_numpy(pixels).flatten(1).to(dtype), torch.from_numpy(held["label"][0])


def loop(given: Job, data: Path, batches: dict[int, tuple[Tensor, Tensor]]) -> Iterator[float]:
    """The job's runs one after another, as anybody would write them with `torch.optim`; the final loss of each."""
    for run in given.runs():
        x, y = batches[run.seed]
        net = module(make_task(replace(given, stack=1), [run], data).init())
        optimizers = torch_optimizers(given.rule, list(net.parameters()), float(run.cell["lr"]))
        for _ in range(given.steps):
            train_step(net, optimizers, x, y)
        with torch.no_grad():
            yield float(F.cross_entropy(net(x), y))


def train_step(net: nn.Module, optimizers: list[torch.optim.Optimizer], x: Tensor, y: Tensor) -> None:
    """One full-batch update."""
    loss = F.cross_entropy(net(x), y)
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
