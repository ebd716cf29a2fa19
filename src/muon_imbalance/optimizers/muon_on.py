"""Muon on some matrices only, momentum of the same length on the others: in which layer does a flat spectrum matter?

    named matrices: D_t = U V^T of Z_t = U S V^T;  others: D_t = c Z_t, ||D_t||_F = sqrt(rank Z_t)
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * sqrt(max(1, rows/cols)) * D_t

Z_t is Muon's (Nesterov momentum). Vectors take Adam as in Muon.
"""

import re
from collections.abc import Iterator
from functools import partial

from muon_imbalance.optimizers.adam import Adam
from muon_imbalance.optimizers.base.hyperparameter_types import (
    Beta2,
    Decay,
    Eps,
    Momentum,
    NamesForMuon,
    Nesterov,
    Rate,
    Scale,
)
from muon_imbalance.optimizers.base.hyperparameters import rule
from muon_imbalance.optimizers.base.matrices_and_vectors import ByShape
from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors
from muon_imbalance.optimizers.geometry.norms import Spectral
from muon_imbalance.optimizers.geometry.polar import exact
from muon_imbalance.optimizers.geometry.spectra import AsLong, reweighted
from muon_imbalance.optimizers.steepest import Steepest


class ByName(ByShape):
    """As :class:`ByShape`, but ``named`` updates the matrices whose names match ``names`` (a regular expression)."""

    def __init__(self, named: Optimizer, names: str, others: Optimizer, vectors: Optimizer):
        super().__init__(others, vectors)
        self.muon, self.on = named, re.compile(names or r"(?!)")

    def _split(self, params: Tensors) -> Iterator[tuple[Optimizer, Tensors]]:
        for one, mine in super()._split(params):
            if one is not self.matrices:
                yield one, mine
                continue
            named = {name: param for name, param in mine.items() if self.on.search(name)}
            rest = {name: param for name, param in mine.items() if name not in named}
            yield from (pair for pair in ((self.muon, named), (self.matrices, rest)) if pair[1])


@rule
def muon_on(
    *,
    lr: Rate = 0.02,
    momentum: Momentum = 0.95,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = True,
    scale: Scale = "original",
    names: NamesForMuon = "",
    beta2: Beta2 = 0.95,
    eps: Eps = 1e-10,
) -> ByName:
    """Exact Muon on the matrices of these ``names``, momentum with steps as long as Muon's on the others."""
    steps = lr, momentum, weight_decay, nesterov
    return ByName(
        named=Steepest(Spectral(exact, scale), *steps),
        names=names,
        others=Steepest(AsLong(partial(reweighted, weights=lambda sizes: sizes), scale), *steps),
        vectors=Adam(lr, momentum, beta2, eps, weight_decay, decoupled=True),
    )
