"""Adam, as PyTorch defines it, elementwise on every parameter.

    G_t <- G_t + weight_decay W_{t-1},  or decoupled: W_{t-1} <- (1 - lr weight_decay) W_{t-1}
    M_t = beta1 M_{t-1} + (1 - beta1) G_t;   V_t = beta2 V_{t-1} + (1 - beta2) G_t^2
    W_t = W_{t-1} - lr * M_t / (1 - beta1^t) / (sqrt(V_t / (1 - beta2^t)) + eps)

With beta1 = beta2 = eps = 0 it is SignGD. Source: App. A, torch.optim.Adam.
"""

import torch

from muon_imbalance.optimizers.base.hyperparameter_types import Betas, Decay, Decoupled, Eps, Rate
from muon_imbalance.optimizers.base.hyperparameters import Hyper, decay, rule
from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, check, slot, zeros


class Adam(Optimizer):
    """Adam with PyTorch's state (exp_avg, exp_avg_sq, count) and either kind of weight decay."""

    any_shape = True

    def __init__(self, lr: Hyper, beta1: Hyper, beta2: Hyper, eps: Hyper, weight_decay: Hyper, decoupled: bool = False):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.fresh1, self.fresh2 = 1 - beta1, 1 - beta2
        self.coupled = None if decoupled or weight_decay.is_zero() else weight_decay
        self.decay = decay(lr, weight_decay) if decoupled else None
        self.eps_has_zero = not bool(eps.value.all())

    def init(self, params: Tensors) -> Tensors:
        return {"count": torch.zeros((), dtype=torch.int64)} | zeros(params, "exp_avg", "exp_avg_sq")

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        count = slot(state, "count") + 1
        t = int(count)
        step_size = self.lr / (1 - self.beta1**t)
        correction = Hyper((1 - self.beta2.value**t).rsqrt(), "beta2")
        new_params, new_state = {}, {"count": count}
        for name, param in params.items():
            grad = grads[name]
            if self.coupled is not None:
                grad = torch.addcmul(grad, param, self.coupled(param))
            first, second = f"exp_avg/{name}", f"exp_avg_sq/{name}"
            mean = new_state[first] = torch.lerp(slot(state, first), grad, self.fresh1(param))
            square = new_state[second] = torch.lerp(slot(state, second), grad * grad, self.fresh2(param))
            kept = param if self.decay is None else param * self.decay(param)
            size = square.sqrt().mul_(correction(param)).add_(self.eps(param))
            if self.eps_has_zero:
                size = size.masked_fill_(size == 0, torch.inf)  # a step of 0 where nothing was seen
            new_params[name] = torch.addcmul(kept, mean / size, step_size(param), value=-1)
        return new_params, new_state

    @torch.no_grad()
    def step_(self, params: Tensors, grads: Tensors, slots: dict[str, Tensors], count: int) -> None:
        means, squares = ([slot(slots[name], key) for name in params] for key in ("exp_avg", "exp_avg_sq"))
        grads, params = [grads[name] for name in params], list(params.values())
        beta1, beta2 = self.beta1.number(), self.beta2.number()
        if self.coupled is not None:
            grads = torch._foreach_add(grads, params, alpha=self.coupled.number())
        torch._foreach_lerp_(means, grads, self.fresh1.number())
        torch._foreach_lerp_(squares, torch._foreach_mul(grads, grads), self.fresh2.number())
        sizes = torch._foreach_sqrt(squares)
        torch._foreach_mul_(sizes, (1 - beta2**count) ** -0.5)
        torch._foreach_add_(sizes, self.eps.number())
        if self.eps_has_zero:
            sizes = [size.masked_fill_(size == 0, torch.inf) for size in sizes]
        if self.decay is not None:
            torch._foreach_mul_(params, self.decay.number())
        torch._foreach_addcdiv_(params, means, sizes, value=-self.lr.number() / (1 - beta1**count))


@rule
def adam(
    *,
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: Eps = 1e-8,
    weight_decay: Decay = 0.0,
    decoupled_weight_decay: Decoupled = False,
) -> Adam:
    """Adam; betas: a pair whose entries are numbers or tensors ``[S]``, or a tensor ``[S, 2]``.

    weight_decay is added to the gradient, with decoupled_weight_decay it shrinks the weights (AdamW).
    """
    return Adam(lr, *betas, eps, weight_decay, decoupled_weight_decay)
