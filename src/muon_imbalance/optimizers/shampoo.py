"""Shampoo with exponential moving averages, blocking, grafting and decoupled weight decay.

    M_t = beta1 M_{t-1} + (1 - beta1) G_t
    L_t = beta2 L_{t-1} + (1 - beta2) G_t G_t^T;   R_t = beta2 R_{t-1} + (1 - beta2) G_t^T G_t
    D_t = (L_t / c2 + epsilon I)^(-1/4) (M_t / c1) (R_t / c2 + epsilon I)^(-1/4),   c = 1 - beta^t
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * D_t

With beta2 = 1 the accumulators are sums and c2 = 1. A kernel [S, out, in, kh, kw] counts as an out x (in kh kw)
matrix; a vector [S, n] has one accumulator and D_t = (L_t / c2 + epsilon I)^(-1/2) M_t / c1. A matrix larger than
max_preconditioner_dim is cut into blocks of at most that many rows and columns, each a matrix of its own.
Grafting gives D_t, block by block, the Frobenius norm of another method's step. beta1 = beta2 = epsilon = 0 is
SpecGD. Accumulators hold squares: float32 gradients must lie between 1e-19 and 1e18. Source: App. A,
facebookresearch/optimizers (Shi et al. 2023), without its merging of small dimensions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.hyperparameter_types import (
    Beta2,
    Corrected,
    Decay,
    Eps,
    Frequency,
    Grafting,
    LargestSide,
    Rate,
    Start,
    SumBetas,
)
from muon_imbalance.optimizers.base.hyperparameters import Hyper, decay, rule
from muon_imbalance.optimizers.base.protocol import (
    HALF,
    Optimizer,
    Tensors,
    as_matrix,
    before_and_after,
    by_parameter,
    check,
    is_matrix,
    slot,
    write_back,
)
from muon_imbalance.optimizers.geometry.norms import frobenius_size

WHOLE = "0.0"
"""Label of the only block."""
Now = tuple[int, Hyper, Hyper]
"""Number of the step, and what bias correction multiplies M_t and L_t, R_t by."""


@dataclass(eq=False)
class Shampoo(Optimizer):
    """State: exp_avg, exp_avg_sq (Adam grafting), for block i.j the accumulators left.i.j [S, b, b] and
    right.i.j and, where they are not computed at every step, their powers left_root.i.j and right_root.i.j.
    """

    lr: Hyper
    betas: tuple[Hyper, Hyper]
    epsilon: Hyper
    weight_decay: Hyper
    precondition_frequency: int
    start_preconditioning_step: int
    max_preconditioner_dim: int
    bias_correction: bool
    grafting: str
    grafting_beta2: Hyper
    grafting_epsilon: Hyper

    def __post_init__(self):
        self.beta1, self.beta2 = self.betas
        self.frequency, self.start = self.precondition_frequency, self.start_preconditioning_step
        self.size = self.max_preconditioner_dim
        self.decay = decay(self.lr, self.weight_decay)
        self.kept = 1.0 if self.decay is None else self.decay.common()
        self.fresh1, self.fresh2, self.graft_fresh2 = map(_fresh, (*self.betas, self.grafting_beta2))

    def init(self, params: Tensors) -> Tensors:
        state = {"count": torch.zeros((), dtype=torch.int64)}
        for name, param in params.items():
            state[f"exp_avg/{name}"] = torch.zeros_like(param)
            if self.grafting == "adam":
                state[f"exp_avg_sq/{name}"] = torch.zeros_like(param)
            matrix = as_matrix(param)
            for label, rows, columns in self._blocks(matrix):
                for side, left, right in _grams(param, matrix[:, rows, columns]):
                    zeros = left.new_zeros(len(left), left.shape[1], right.shape[2])
                    state[f"{side}.{label}/{name}"] = zeros
                    if self.frequency > 1:
                        state[f"{side}_root.{label}/{name}"] = zeros.clone()
        return state

    @torch.no_grad()
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        count = slot(state, "count") + 1
        slots, now = by_parameter(params, state), self._now(int(count))
        new_params, new_state = {}, {"count": count}
        for name, param in params.items():
            new_params[name] = torch.empty_like(param)
            new = {key: torch.empty_like(old) for key, old in slots[name].items()}
            self._move(param, grads[name], slots[name], new_params[name], new, now)
            new_state |= {f"{key}/{name}": tensor for key, tensor in new.items()}
        return new_params, new_state

    @torch.no_grad()
    def step_(self, params: Tensors, grads: Tensors, slots: dict[str, Tensors], count: int) -> None:
        now = self._now(count)
        for name, param in params.items():
            self._move(param, grads[name], slots[name], param, slots[name], now)

    def _now(self, t: int) -> Now:
        return t, self._unbias(self.beta1, t), self._unbias(self.beta2, t)

    def _move(self, param: Tensor, grad: Tensor, slots: Tensors, out: Tensor, new: Tensors, now: Now) -> None:
        """out <- W_t of one parameter, new <- its state after step t; both may be what they are made from."""
        t, unbias1, unbias2 = now
        mean = torch.lerp(slot(slots, "exp_avg"), grad, self.fresh1(param), out=new["exp_avg"])
        matrix, roots = as_matrix(grad), {}
        for label, rows, columns in self._blocks(matrix):
            for side, left, right in _grams(param, matrix[:, rows, columns]):
                key = f"{side}.{label}"
                total = self._sum(slot(slots, key), left, right, new[key])
                roots[side, label] = self._root(f"{side}_root.{label}", total, unbias2, param, t, slots, new)
        in_one = max(matrix.shape[1:]) <= self.size
        if t >= self.start and self.grafting == "none" and param.dtype not in HALF and in_one:
            self._add(param, mean, unbias1, roots, out)
            return
        mean = mean * unbias1(param)
        graft = as_matrix(self._graft(grad, mean, t, slots, new))
        direction = graft.clone() if t < self.start else torch.empty_like(graft)
        for label, rows, columns in self._blocks(matrix) if t >= self.start else ():
            place = (slice(None), rows, columns)
            block = _product(roots["left", label], as_matrix(mean)[place], roots.get(("right", label)))
            direction[place] = block if self.grafting == "none" else _rescaled(block, graft[place])
        kept = param if self.decay is None else torch.mul(param, self.decay(param), out=out)
        torch.addcmul(kept, direction.reshape(param.shape), self.lr(param), value=-1, out=out)

    def _add(self, param: Tensor, mean: Tensor, unbias: Hyper, roots: dict, new: Tensor) -> None:
        """new <- W_t of what is one block: the last product goes straight onto the parameter."""
        kept = self.kept
        if kept is None:
            param, kept = torch.mul(param, self.decay(param), out=new), 1.0
        source, target = before_and_after(param, new)
        mean = as_matrix(mean)
        rate = self.lr(mean) * unbias(mean)
        if ("right", WHOLE) in roots:
            factors = torch.bmm(roots["left", WHOLE], mean).mul_(rate), roots["right", WHOLE]
        else:
            factors = roots["left", WHOLE], mean * rate
        torch.baddbmm(source, *factors, beta=kept, alpha=-1, out=target)
        write_back(new, target)

    def _sum(self, old: Tensor, left: Tensor, right: Tensor, new: Tensor) -> Tensor:
        """new <- beta2 old + (1 - beta2) left right; one call where all models share beta2."""
        beta2, fresh2 = self.beta2, self.fresh2
        if len(beta2.value) == 1:
            return torch.baddbmm(old, left, right, beta=beta2.number(), alpha=fresh2.number(), out=new)
        return torch.add(old * beta2(old), torch.bmm(left, right) * fresh2(old), out=new)

    def _graft(self, grad: Tensor, mean: Tensor, t: int, slots: Tensors, new: Tensors) -> Tensor:
        """The step whose size is taken: of SGD with momentum, or of Adam."""
        if self.grafting != "adam":
            return mean
        old = slot(slots, "exp_avg_sq")
        square = torch.lerp(old, grad * grad, self.graft_fresh2(grad), out=new["exp_avg_sq"])
        size = (square * self._unbias(self.grafting_beta2, t)(square)).sqrt_().add_(self.grafting_epsilon(square))
        return mean / size.masked_fill_(size == 0, torch.inf)

    def _root(self, key: str, total: Tensor, unbias: Hyper, param: Tensor, t: int, slots: Tensors, new: Tensors):
        """The power of an accumulator: computed at step ``start`` and then at multiples of ``frequency``."""
        due = t == self.start or (t > self.start and t % self.frequency == 0)
        if due:
            power = -0.25 if is_matrix(param) else -0.5
            root = matrix_power(total * unbias(total), power, self.epsilon(total[..., 0].double()))
        else:
            root = slot(slots, key) if self.frequency > 1 else None  # None: before the start
        if self.frequency > 1 and new[key] is not root:
            new[key].copy_(root)
        return root

    def _unbias(self, beta: Hyper, t: int) -> Hyper:
        """1 / (1 - beta^t), and 1 for a sum or without bias correction."""
        corrected = (beta.value < 1) & self.bias_correction
        return Hyper(torch.where(corrected, 1 / (1 - beta.value**t), 1.0), beta.key)

    def _blocks(self, matrix: Tensor) -> Iterator[tuple[str, slice, slice]]:
        """Label "i.j", rows and columns of each block of [S, m, n]."""
        for i, row in enumerate(range(0, matrix.shape[1], self.size)):
            for j, column in enumerate(range(0, matrix.shape[2], self.size)):
                yield f"{i}.{j}", slice(row, row + self.size), slice(column, column + self.size)


def _fresh(beta: Hyper) -> Hyper:
    """Weight of the new value: 1 - beta, and 1 where beta = 1 makes the average a sum."""
    return Hyper(torch.where(beta.value < 1, 1 - beta.value, 1.0), beta.key)


def _grams(param: Tensor, block: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The factors of G G^T as "left" and, for a matrix, of G^T G as "right"; at least in float32."""
    block = block.float() if block.dtype in HALF else block
    yield "left", block, block.mT
    if is_matrix(param):
        yield "right", block.mT, block


def _product(left: Tensor, block: Tensor, right: Tensor | None) -> Tensor:
    product = left @ block.to(left.dtype)
    return (product if right is None else product @ right).to(block.dtype)


def _rescaled(block: Tensor, graft: Tensor) -> Tensor:
    """``block`` with the Frobenius norm of ``graft``."""
    old, new = (frobenius_size(x).double() for x in (block, graft))
    return block * torch.where(old > 0, new / old, 0.0 * old).to(block.dtype)


def matrix_power(a: Tensor, power: float, epsilon: Tensor) -> Tensor:
    """(A + epsilon I)^power, power < 0, of symmetric A ``[S, b, b]`` >= 0, epsilon ``[S, 1]``; eigenvalues in float64.

    Where epsilon = 0 it is the power of the pseudo-inverse: eigenvalues below 1e-12 (or, if larger, b times the
    machine precision of A) times the largest count as 0. Negative eigenvalues, which are rounding errors, shift
    the spectrum up. A matrix that is not finite gives NaN and leaves the others alone.
    """
    finite = a.sum((-2, -1), keepdim=True, dtype=torch.float64).isfinite()
    usual = bool(finite.all())
    values, vectors = torch.linalg.eigh((a if usual else torch.where(finite, a, 0.0)).double())
    cut = max(1e-12, a.shape[-1] * torch.finfo(a.dtype).eps)
    kept = (epsilon > 0) | (values > cut * values[..., -1:])
    values = values - values[..., :1].clamp(max=0) + epsilon
    powers, vectors = (torch.where(kept, values, torch.inf) ** power).to(a.dtype), vectors.to(a.dtype)
    powered = (vectors * powers.unsqueeze(-2)) @ vectors.mT
    return powered if usual else torch.where(finite, powered, torch.nan)


@rule
def shampoo(
    *,
    lr: Rate = 1e-2,
    betas: SumBetas = (0.9, 0.999),
    epsilon: Eps = 1e-12,
    weight_decay: Decay = 0.0,
    precondition_frequency: Frequency = 1,
    start_preconditioning_step: Start = 1,
    max_preconditioner_dim: LargestSide = 1024,
    bias_correction: Corrected = True,
    grafting: Grafting = "none",
    grafting_beta2: Beta2 = 0.999,
    grafting_epsilon: Eps = 1e-10,
) -> Shampoo:
    """Shampoo; grafting: "none", "sgd" or "adam" (grafting_beta2 and grafting_epsilon belong to "adam").

    The powers are computed at start_preconditioning_step and then at every multiple of precondition_frequency;
    before the start the grafted method (without one: SGD with momentum) makes the step. The reference starts at
    precondition_frequency.
    """
    return Shampoo(**locals())
