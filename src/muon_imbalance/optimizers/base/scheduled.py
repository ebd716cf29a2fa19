"""An optimizer whose learning rate follows a schedule; the step number is part of its state."""

from collections.abc import Callable

import torch

from muon_imbalance.common import schedules
from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, slot

STEP = "schedule/step"


class Scheduled(Optimizer):
    """``build(factor)`` makes the optimizer with that multiple of the learning rate; it is built anew for each step."""

    def __init__(self, build: Callable[[float], Optimizer], schedule: str, steps: int, warmup: int = 0):
        self.build, self.schedule, self.steps, self.warmup = build, schedule, steps, warmup

    def init(self, params: Tensors) -> Tensors:
        return self.build(1.0).init(params) | {STEP: torch.zeros((), dtype=torch.int64)}

    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        step = slot(state, STEP)
        optimizer = self.build(schedules.factor(self.schedule, int(step), self.steps, self.warmup))
        new_params, new_state = optimizer.step(params, grads, state)
        return new_params, new_state | {STEP: step + 1}
