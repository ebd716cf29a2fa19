"""One optimizer for matrices and kernels, another for vectors, and for what is named to go with them."""

import re
from collections.abc import Iterator

from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, check, is_matrix


class ByShape(Optimizer):
    """``matrices`` updates parameters ``[S, out, in, ...]``, ``vectors`` updates ``[S, n]``; states share a dict.

    Matrices whose names match ``with_vectors`` (a regular expression; "": none) go with the vectors.
    """

    def __init__(self, matrices: Optimizer, vectors: Optimizer, with_vectors: str = ""):
        self.matrices, self.vectors = matrices, vectors
        self.named = re.compile(with_vectors) if with_vectors else None

    def init(self, params: Tensors) -> Tensors:
        state: Tensors = {}
        for rule, mine in self._split(params):
            state |= rule.init(mine)
        return state

    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        new, new_state = {}, {}
        for rule, mine in self._split(params):
            moved, kept = rule.step(mine, {name: grads[name] for name in mine}, state)
            new, new_state = new | moved, new_state | kept
        return {name: new[name] for name in params}, new_state

    def step_(self, params: Tensors, grads: Tensors, slots: dict[str, Tensors], count: int) -> None:
        for rule, mine in self._split(params):
            rule.step_(mine, {name: grads[name] for name in mine}, slots, count)

    def _split(self, params: Tensors) -> Iterator[tuple[Optimizer, Tensors]]:
        """Each rule that has parameters, with these."""
        matrices, vectors = {}, {}
        for name, param in params.items():
            named = self.named is not None and self.named.search(name) is not None
            (matrices if is_matrix(param) and not named else vectors)[name] = param
        return ((rule, mine) for rule, mine in ((self.matrices, matrices), (self.vectors, vectors)) if mine)
