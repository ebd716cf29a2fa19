"""One model's optimizer step in the memory of its parameters and state, with a few calls for all tensors.

A network has dozens of small tensors; a step that takes them one by one into new memory costs as much as a tenth of its
gradients.
"""

import torch

from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, check


class Alone:
    """``rule`` on a stack of one; parameters and state that are given to :meth:`step` are changed and given back."""

    def __init__(self, rule: Optimizer):
        self.rule = rule

    def init(self, params: Tensors) -> Tensors:
        return self.rule.init(params)

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        new, new_state = _step(self.rule, params, grads, state)
        return {name: new[name] for name in params}, new_state


def _step(rule: Optimizer, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
    if hasattr(rule, "takes"):  # one rule for matrices, another for vectors
        new, new_state = {}, {}
        for part, matrices in ((rule.matrices, True), (rule.vectors, False)):
            names = [name for name, param in params.items() if rule.takes(name, param) == matrices]
            mine = {key: value for key, value in state.items() if key.partition("/")[2] in names or key == "count"}
            moved, kept = _step(part, {n: params[n] for n in names}, {n: grads[n] for n in names}, mine)
            new, new_state = new | moved, new_state | kept
        return new, new_state
    counts = getattr(rule, "counts_lists", False)
    if params and (counts or getattr(rule, "takes_lists", False)):
        slots = dict.fromkeys(key.partition("/")[0] for key in state if key.partition("/")[2] in params)
        lists = {slot: [state[f"{slot}/{name}"][0] for name in params] for slot in slots}
        tensors = [value[0] for value in params.values()], [grads[name][0] for name in params], lists
        if not counts:
            rule.step_lists_(*tensors)
            return params, state
        state = state | {"count": state["count"] + 1}
        rule.step_lists_(*tensors, int(state["count"]))
        return params, state
    return getattr(rule, "step_", rule.step)(params, grads, state)
