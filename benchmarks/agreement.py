"""How far two optimizers are apart after some steps from the same start with the same gradients.

The gradients do not depend on the weights, so that a difference is one of the update rules and does not grow by
the loss. Relative difference: the largest ||W - W'|| / ||W' - W_0|| over the parameters, W' the public one.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks import shapes
from benchmarks.contestants import Make
from benchmarks.precision import half_precision_taken_out

STEPS = (1, 10, 100)


@dataclass(frozen=True)
class Row:
    """One line of the table: our variant beside a public one, why they differ, and the row that tests the reason.

    double: both run in float64, the public one without its half precision. kernels: they get kernels as they are,
    otherwise as matrices. explained: the public variant of the row in which the named reason is taken away, None
    where only rounding is left. tolerance: None where the algorithms differ, so that only `explained` can decide.
    last: the largest number of steps.
    """

    ours: str
    public: str
    reason: str
    tolerance: float | None
    sets: tuple[str, ...]
    double: bool = False
    kernels: bool = False
    explained: tuple[str, str] | None = None
    last: int = 100

    @property
    def key(self) -> tuple[str, str]:
        return (self.public, "float64" if self.double else "float32")


@dataclass(frozen=True)
class Outcome:
    """Relative differences of a row: set of shapes -> number of steps -> difference."""

    row: Row
    differences: dict[str, dict[int, float]]

    @property
    def worst(self) -> float:
        """NaN if any is."""
        return torch.tensor([d for steps in self.differences.values() for d in steps.values()]).max().item()

    @property
    def within(self) -> bool:
        return self.row.tolerance is None or self.worst <= self.row.tolerance


class Runs:
    """Displacements W_t - W_0 of optimizers, each computed once."""

    def __init__(self, contestants: dict[str, Make], sets: dict[str, list[shapes.Shape]], last: int = 100):
        self.contestants, self.sets, self.last = contestants, sets, last
        self._done: dict[tuple, dict[int, list[Tensor]]] = {}

    def displacements(self, name: str, chosen: str, row: Row) -> dict[int, list[Tensor]]:
        last = min(row.last, self.last)
        key = (name, chosen, row.double, row.kernels, last)
        if key not in self._done:
            given = shapes.distinct(self.sets[chosen])
            context = half_precision_taken_out() if row.double else nullcontext()
            dtype = torch.float64 if row.double else torch.float32
            with context:
                self._done[key] = displacements(self.contestants[name], given, dtype, row.kernels, last)
        return self._done[key]

    def differences(self, row: Row, chosen: str) -> dict[int, float]:
        """Relative difference on one set after each number of steps."""
        ours, public = (self.displacements(name, chosen, row) for name in (row.ours, row.public))
        return {step: relative_difference(ours[step], public[step]) for step in ours}

    def outcome(self, row: Row) -> Outcome:
        return Outcome(row, {chosen: self.differences(row, chosen) for chosen in row.sets})


def displacements(
    make: Make, given: list[shapes.Shape], dtype: torch.dtype, kernels: bool, last: int
) -> dict[int, list[Tensor]]:
    """W_t - W_0 of each parameter after t = 1, 10 and 100 steps, as far as `last`."""
    form: Callable[[Tensor], Tensor] = lambda x: x.to(dtype) if kernels else x.to(dtype).reshape(shapes.flat(x.shape))  # noqa: E731
    origin = [form(weight) for weight in shapes.start(given)]
    params = [torch.nn.Parameter(weight.clone()) for weight in origin]
    optimizer, moved = make(params), {}
    for step, grads in enumerate(shapes.gradients(given, last), start=1):
        for param, grad in zip(params, grads, strict=True):
            param.grad = form(grad).clone()
        optimizer.step()
        if step in STEPS:
            moved[step] = [param.detach() - weight for param, weight in zip(params, origin, strict=True)]
    return moved


def relative_difference(ours: list[Tensor], public: list[Tensor]) -> float:
    pairs = zip(ours, public, strict=True)
    size = torch.linalg.vector_norm
    return torch.stack([size((a - b).double()) / size(b.double()) for a, b in pairs]).max().item()


def unexplained(outcomes: list[Outcome]) -> list[str]:
    """Rows above their tolerance, and rows whose reason is not borne out by an explaining row within its own."""
    good = {o.row.key for o in outcomes} - {o.row.key for o in outcomes if not o.within}
    found = []
    for outcome in outcomes:
        name = " ".join(outcome.row.key)
        if not outcome.within:
            found.append(f"{name}: {outcome.worst:.1e} is above its tolerance")
        elif outcome.row.explained not in good and (outcome.row.explained or outcome.row.tolerance is None):
            found.append(f"{name}: no row bears out its reason")
    return found
