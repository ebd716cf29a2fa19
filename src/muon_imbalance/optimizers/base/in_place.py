"""One model's optimizer step in place: parameters and state that are given to it are changed and given back.

A network has dozens of small tensors; a step that takes them one by one into new memory costs as much as a tenth of its
gradients.
"""

import torch

from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, by_parameter, check


class InPlace(Optimizer):
    """``rule`` on a stack of one, by its :meth:`~muon_imbalance.optimizers.base.protocol.Optimizer.step_`."""

    def __init__(self, rule: Optimizer):
        self.rule = rule

    def init(self, params: Tensors) -> Tensors:
        return self.rule.init(params)

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        counted = {"count": state["count"] + 1} if "count" in state else {}
        self.rule.step_(params, grads, by_parameter(params, state), int(counted.get("count", 0)))
        return params, state | counted
