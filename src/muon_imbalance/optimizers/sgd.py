"""Stochastic gradient descent, as PyTorch defines it, and plain gradient descent.

    G_t <- G_t + weight_decay W_{t-1}
    B_t = momentum B_{t-1} + G_t, B_0 = 0;   Z_t = B_t, or with Nesterov G_t + momentum B_t
    W_t = W_{t-1} - lr * Z_t

Source: App. A, torch.optim.SGD (without dampening).
"""

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.hyperparameter_types import Decay, Momentum, Nesterov, Rate
from muon_imbalance.optimizers.base.hyperparameters import Hyper, rule
from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, check, slot, zeros


class Sgd(Optimizer):
    """SGD with a momentum buffer for every parameter; momentum ``None`` means no momentum and no state."""

    def __init__(self, lr: Hyper, momentum: Hyper | None, weight_decay: Hyper, nesterov: bool = False):
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov
        self.weight_decay = None if weight_decay.is_zero() else weight_decay

    def init(self, params: Tensors) -> Tensors:
        return {} if self.momentum is None else zeros(params, "momentum")

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        new_params, new_state = {}, {}
        for name, param in params.items():
            if self.momentum is None:
                new_params[name], _ = self._moved(param, grads[name])
            else:
                old = slot(state, f"momentum/{name}")
                new_params[name], new_state[f"momentum/{name}"] = self._moved(param, grads[name], old)
        return new_params, new_state

    @torch.no_grad()
    def step_(self, params: Tensors, grads: Tensors, slots: dict[str, Tensors], count: int) -> None:
        for name, param in params.items():
            buffer = None if self.momentum is None else slot(slots[name], "momentum")
            self._moved(param, grads[name], buffer, param, buffer)

    def _moved(
        self,
        param: Tensor,
        grad: Tensor,
        old: Tensor | None = None,
        out: Tensor | None = None,
        new: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """W_t and B_t of one parameter, put into ``out`` and ``new`` where these are given."""
        if self.weight_decay is not None:
            grad = torch.addcmul(grad, param, self.weight_decay(param))
        update = buffer = grad
        if self.momentum is not None:
            update = buffer = torch.addcmul(grad, old, self.momentum(param), out=new)
            if self.nesterov:
                update = torch.addcmul(grad, buffer, self.momentum(param))
        return torch.addcmul(param, update, self.lr(param), value=-1, out=out), buffer


@rule
def sgd(*, lr: Rate = 1e-3, momentum: Momentum = 0.9, weight_decay: Decay = 0.0, nesterov: Nesterov = False) -> Sgd:
    """SGD with heavy-ball or Nesterov momentum."""
    return Sgd(lr, momentum, weight_decay, nesterov)


@rule
def gd(*, lr: Rate = 0.01, weight_decay: Decay = 0.0) -> Sgd:
    """Gradient descent: W <- W - lr G."""
    return Sgd(lr, None, weight_decay)
