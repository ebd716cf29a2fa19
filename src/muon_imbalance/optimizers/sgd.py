"""Stochastic gradient descent, as PyTorch defines it, and plain gradient descent.

    G_t <- G_t + weight_decay W_{t-1}
    B_t = momentum B_{t-1} + G_t, B_0 = 0;   Z_t = B_t, or with Nesterov G_t + momentum B_t
    W_t = W_{t-1} - lr * Z_t

Source: App. A, torch.optim.SGD (without dampening).
"""

import torch

from muon_imbalance.optimizers.base.hyperparameters import Hyper, flag, hyper
from muon_imbalance.optimizers.base.protocol import Tensors, check, slot

OPTIMIZERS = ("sgd", "gd")


class Sgd:
    """SGD with a momentum buffer for every parameter; momentum None means no momentum and no state."""

    def __init__(self, lr: Hyper, momentum: Hyper | None, weight_decay: Hyper, nesterov: bool = False):
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov
        self.weight_decay = None if weight_decay.is_zero() else weight_decay

    def init(self, params: Tensors) -> Tensors:
        if self.momentum is None:
            return {}
        return {f"momentum/{name}": torch.zeros_like(param) for name, param in params.items()}

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        new_params, new_state = {}, {}
        for name, param in params.items():
            update = grad = grads[name]
            if self.weight_decay is not None:
                update = grad = torch.addcmul(grad, param, self.weight_decay(param))
            if self.momentum is not None:
                key = f"momentum/{name}"
                update = new_state[key] = torch.addcmul(grad, slot(state, key), self.momentum(param))
                if self.nesterov:
                    update = torch.addcmul(grad, update, self.momentum(param))
            new_params[name] = torch.addcmul(param, update, self.lr(param), value=-1)
        return new_params, new_state


def sgd(*, lr=1e-3, momentum=0.9, weight_decay=0.0, nesterov=False) -> Sgd:
    """SGD with heavy-ball or Nesterov momentum."""
    momentum = hyper("momentum", momentum, below=1)
    return Sgd(hyper("lr", lr), momentum, hyper("weight_decay", weight_decay), flag("nesterov", nesterov))


def gd(*, lr=0.01, weight_decay=0.0) -> Sgd:
    """Gradient descent: W <- W - lr G."""
    return Sgd(hyper("lr", lr), None, hyper("weight_decay", weight_decay))
