"""Normalised steepest descent and its momentum form: the family of Table 1, with the norm as data.

    M_t = beta M_{t-1} + (1 - beta) G_t                    (without momentum M_t = G_t)
    Z_t = M_t, or with Nesterov beta M_t + (1 - beta) G_t
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * length * lmo(Z_t)

Every weight tensor is normalised by itself (unless NMD's scope is "global": all parameters of a model are
one vector then). A vector ``[S, n]`` counts as an n x 1 matrix, on which the Frobenius and the spectral norm
coincide; a kernel ``[S, out, in, kh, kw]`` as an out x (in kh kw) matrix. The length of a step is 1 but for Muon.
Source: Eq. 1, Eq. 4, App. A.
"""

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.hyperparameter_types import Decay, Momentum, Nesterov, Rate, Scope
from muon_imbalance.optimizers.base.hyperparameters import Hyper, decay, rule
from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, check, slot, zeros
from muon_imbalance.optimizers.geometry.norms import FrobeniusMultiple, GlobalFrobenius, Max, Norm, Spectral


class Steepest(Optimizer):
    """Steepest descent in ``norm``; momentum ``None`` means no momentum and no state."""

    def __init__(self, norm: Norm, lr: Hyper, momentum: Hyper | None, weight_decay: Hyper, nesterov: bool = False):
        self.norm, self.lr, self.momentum, self.nesterov = norm, lr, momentum, nesterov
        self.fresh = None if momentum is None else 1 - momentum
        self.decay = decay(lr, weight_decay)
        self.any_shape = norm.any_shape

    def init(self, params: Tensors) -> Tensors:
        return {} if self.momentum is None else zeros(params, "momentum")

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        names, new_params, new_state = list(params), {}, {}
        for batch in self.norm.batches([grads[name] for name in names]):  # while its tensors are in the cache
            some = [names[place] for place in batch]
            updates = [self._update(name, grads[name], state, new_state) for name in some]
            new = self.norm.descend([params[name] for name in some], updates, self.lr, self.decay)
            new_params |= zip(some, new, strict=True)
        return {name: new_params[name] for name in names}, {key: new_state[key] for key in state if key in new_state}

    @torch.no_grad()
    def step_(self, params: Tensors, grads: Tensors, slots: dict[str, Tensors], count: int) -> None:
        lists = [[grads[name] for name in params], list(params.values())]
        if self.momentum is not None:
            lists.append([slot(slots[name], "momentum") for name in params])
        for some_grads, some, *momentum in self.norm.portions(*lists):
            self.norm.descend_(some, self._updates_(some_grads, *momentum), self.lr, self.decay)

    def _update(self, name: str, grad: Tensor, state: Tensors, new_state: Tensors) -> Tensor:
        """Z_t of one parameter; puts M_t into ``new_state``."""
        if self.momentum is None:
            return grad
        key = f"momentum/{name}"
        buffer = new_state[key] = torch.lerp(slot(state, key), grad, self.fresh(grad))
        return torch.lerp(grad, buffer, self.momentum(grad)) if self.nesterov else buffer

    def _updates_(self, grads: list[Tensor], momentum: list[Tensor] | None = None) -> list[Tensor]:
        """Z_t of several parameters of one model; puts M_t into ``momentum``."""
        if momentum is None:
            return grads
        torch._foreach_lerp_(momentum, grads, self.fresh.number())
        return torch._foreach_lerp(grads, momentum, self.momentum.number()) if self.nesterov else momentum


@rule
def ngd(*, lr: Rate = 0.01, weight_decay: Decay = 0.0) -> Steepest:
    """Normalised gradient descent: W <- W - lr G / ||G||_F (Table 1)."""
    return Steepest(FrobeniusMultiple(), lr, None, weight_decay)


@rule
def signgd(*, lr: Rate = 0.01, weight_decay: Decay = 0.0) -> Steepest:
    """Sign descent: W <- W - lr sign(G) (Table 1)."""
    return Steepest(Max(), lr, None, weight_decay)


@rule
def specgd(*, lr: Rate = 0.01, weight_decay: Decay = 0.0) -> Steepest:
    """Spectral descent: W <- W - lr U V^T with G = U S V^T, exact (Table 1)."""
    return Steepest(Spectral(), lr, None, weight_decay)


@rule
def nmd(
    *,
    lr: Rate = 0.03,
    momentum: Momentum = 0.9,
    weight_decay: Decay = 0.0,
    nesterov: Nesterov = False,
    scope: Scope = "layer",
) -> Steepest:
    """Normalised momentum descent: W <- W - lr M / ||M||_F (Table 1).

    scope: "layer" (each weight tensor by itself) or "global" (one norm for all parameters of a model).
    """
    norm = {"layer": FrobeniusMultiple, "global": GlobalFrobenius}[scope]()
    return Steepest(norm, lr, momentum, weight_decay, nesterov)


@rule
def signum(
    *, lr: Rate = 1e-4, momentum: Momentum = 0.9, weight_decay: Decay = 0.0, nesterov: Nesterov = False
) -> Steepest:
    """Sign descent with momentum: W <- W - lr sign(M) (Table 1)."""
    return Steepest(Max(), lr, momentum, weight_decay, nesterov)
