"""Lion-K: Lion with a convex function K in place of the l1 norm, and decoupled weight decay.

    Z_t = beta1 M_{t-1} + (1 - beta1) G_t
    M_t = beta2 M_{t-1} + (1 - beta2) G_t
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * D_t,   D_t in dK(Z_t)

K is the dual norm of a ball: l1 (Lion), nuclear (Muon), Frobenius (NMD), Ky Fan k. With weight decay it solves
min L(W) subject to ||W|| <= 1 / weight_decay in that ball's norm, and ||W_t|| - c / weight_decay shrinks by
1 - lr * weight_decay a step while it is positive, where c bounds ||D_t||: 1, for Newton-Schulz 1.21. (betas =
(beta^2, beta) is Muon with Nesterov momentum beta, (beta, beta) without.) A vector [S, n] counts as an n x 1
matrix. Source: the second paper; Chen, Liu, Liang and Liu 2024, "Lion Secretly Solves Constrained Optimization".
"""

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.hyperparameters import Hyper, choice, decay, hyper, two_betas, whole
from muon_imbalance.optimizers.base.protocol import Tensors, check, slot
from muon_imbalance.optimizers.geometry.batched import lmos
from muon_imbalance.optimizers.geometry.norms import Frobenius, KyFan, Max, Norm, Spectral, portions
from muon_imbalance.optimizers.muon import polar_factor

OPTIMIZERS = ("lion_k",)


class LionK:
    """Lion-K on the ball of `norm`: its lmo is a subgradient of K, the dual norm."""

    def __init__(self, norm: Norm, lr: Hyper, beta1: Hyper, beta2: Hyper, weight_decay: Hyper):
        self.norm, self.lr, self.decay = norm, lr, decay(lr, weight_decay)
        self.fresh1, self.fresh2 = Hyper(1 - beta1.value, "beta1"), Hyper(1 - beta2.value, "beta2")
        self.takes_lists = hasattr(norm, "descend_")

    def init(self, params: Tensors) -> Tensors:
        return {f"momentum/{name}": torch.zeros_like(param) for name, param in params.items()}

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        new_params, new_state, updates = {}, {}, {}
        for name, grad in grads.items():
            key = f"momentum/{name}"
            momentum = slot(state, key)
            updates[name] = torch.lerp(momentum, grad, self.fresh1(grad))
            new_state[key] = torch.lerp(momentum, grad, self.fresh2(grad))
        for name, direction in lmos(self.norm, updates).items():
            param = params[name]
            kept = param if self.decay is None else param * self.decay(param)
            new_params[name] = torch.addcmul(kept, direction, self.lr(param), value=-1)
        return {name: new_params[name] for name in params}, new_state

    @torch.no_grad()
    def step_lists_(self, params: list[Tensor], grads: list[Tensor], state: dict[str, list[Tensor]]) -> None:
        """The same step for one model, in the memory of params and momentum; for norms that do not ask for shapes."""
        for some, some_grads, momentum in portions(params, grads, state["momentum"]):
            updates = torch._foreach_lerp(momentum, some_grads, self.fresh1.number())
            torch._foreach_lerp_(momentum, some_grads, self.fresh2.number())
            if self.decay is not None:
                torch._foreach_mul_(some, self.decay.number())
            self.norm.descend_(some, updates, self.lr.number())


def lion_k(*, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, K="l1", k=1, polar="exact", ns_steps=5) -> LionK:
    """Lion-K; K: "l1", "frobenius", "nuclear" (polar, ns_steps as in Muon) or "ky_fan" (k singular values)."""
    k = whole("k", k, 1, 10**9)
    norm = {
        "l1": Max(),
        "frobenius": Frobenius(),
        "nuclear": Spectral(polar_factor(polar, ns_steps)),
        "ky_fan": KyFan(k),
    }[choice("K", K, ("l1", "frobenius", "nuclear", "ky_fan"))]
    beta1, beta2 = two_betas(betas)
    return LionK(norm, hyper("lr", lr), beta1, beta2, hyper("weight_decay", weight_decay))
