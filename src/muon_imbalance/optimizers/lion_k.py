"""Lion-K: Lion with a convex function K in place of the l1 norm, and decoupled weight decay.

    Z_t = beta1 M_{t-1} + (1 - beta1) G_t
    M_t = beta2 M_{t-1} + (1 - beta2) G_t
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * D_t,   D_t in dK(Z_t)

K is the dual norm of a ball: l1 (Lion), nuclear (Muon), Frobenius (NMD), Ky Fan k. With weight decay it solves
min L(W) subject to ||W|| <= 1 / weight_decay in that ball's norm, and ||W_t|| - c / weight_decay shrinks by
1 - lr * weight_decay a step while it is positive, where c bounds ||D_t||: 1, for Newton-Schulz 1.21. (betas =
(beta^2, beta) is Muon with Nesterov momentum beta, (beta, beta) without.) A vector ``[S, n]`` counts as an n x 1
matrix. Source: the second paper; Chen, Liu, Liang and Liu 2024, "Lion Secretly Solves Constrained Optimization".
"""

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.hyperparameter_types import Ball, Betas, Decay, Iterations, Polar, Rank, Rate
from muon_imbalance.optimizers.base.hyperparameters import Hyper, rule
from muon_imbalance.optimizers.base.protocol import Tensors, slot
from muon_imbalance.optimizers.geometry.norms import Frobenius, KyFan, Max, Norm, Spectral
from muon_imbalance.optimizers.muon import polar_factor
from muon_imbalance.optimizers.steepest import Steepest


class LionK(Steepest):
    """Lion-K on the ball of ``norm``, whose lmo is a subgradient of K, the dual norm: Steepest with two momenta."""

    def __init__(self, norm: Norm, lr: Hyper, beta1: Hyper, beta2: Hyper, weight_decay: Hyper):
        super().__init__(norm, lr, beta2, weight_decay)
        self.fresh1, self.fresh2 = 1 - beta1, 1 - beta2

    def _update(self, name: str, grad: Tensor, state: Tensors, new_state: Tensors) -> Tensor:
        key = f"momentum/{name}"
        momentum = slot(state, key)
        new_state[key] = torch.lerp(momentum, grad, self.fresh2(grad))
        return torch.lerp(momentum, grad, self.fresh1(grad))

    def _updates_(self, grads: list[Tensor], momentum: list[Tensor]) -> list[Tensor]:
        updates = torch._foreach_lerp(momentum, grads, self.fresh1.number())
        torch._foreach_lerp_(momentum, grads, self.fresh2.number())
        return updates


@rule
def lion_k(
    *,
    lr: Rate = 1e-4,
    betas: Betas = (0.9, 0.99),
    weight_decay: Decay = 0.0,
    K: Ball = "l1",
    k: Rank = 1,
    polar: Polar = "exact",
    ns_steps: Iterations = 5,
) -> LionK:
    """Lion-K; K: "l1", "frobenius", "nuclear" (polar, ns_steps as in Muon) or "ky_fan" (k singular values)."""
    norm = {
        "l1": Max(),
        "frobenius": Frobenius(),
        "nuclear": Spectral(polar_factor(polar, ns_steps)),
        "ky_fan": KyFan(k),
    }[K]
    return LionK(norm, lr, *betas, weight_decay)
