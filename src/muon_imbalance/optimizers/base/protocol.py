"""What every optimizer offers, and the stacked layout they share.

A sweep trains S models at once, so every tensor has a leading model axis: matrices [S, out, in], convolution
kernels [S, out, in, kh, kw], vectors [S, n]. A single model is a stack of one.
"""

from typing import Protocol

import torch
from torch import Tensor

from muon_imbalance.common.errors import UserError

Tensors = dict[str, Tensor]

HALF = (torch.bfloat16, torch.float16)
"""What is computed in float32 and rounded in the end."""


class Optimizer(Protocol):
    """A pure update rule; params, gradients and state are flat dicts of stacked tensors.

    For torch_optim a rule may also offer `step_`, which writes into params and state, and, if
    `takes_lists` is true, `step_lists_`, which does so for one model given as lists of tensors without model axis.
    """

    def init(self, params: Tensors) -> Tensors:
        """State before the first step, keys "<slot>/<param>" and "count"; safetensors can hold it."""

    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        """New params and new state; the arguments are left as they are."""


def is_matrix(param: Tensor) -> bool:
    """Which parameters are matrices: every stacked weight with two or more axes of its own, [S, out, in, ...].

    They get the matrix rule (Muon, Shampoo); biases, norms and other vectors [S, n] get Adam beside Muon. That
    counts the first and the last layer and convolution kernels as matrices, as the paper does (App. A: only
    vector parameters go to Adam).
    """
    return param.ndim > 2


def as_matrix(x: Tensor) -> Tensor:
    """[S, out, ...] -> [S, out, rest]: kernels are flattened, a vector [S, n] becomes [S, n, 1]."""
    return x if x.ndim == 3 else x.reshape(*x.shape[:2], -1)


def before_and_after(param: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """Both as matrices, of which the second is to be written: one and the same where they share memory."""
    target = as_matrix(out)
    return (target if param.data_ptr() == out.data_ptr() else as_matrix(param)), target


def settle(out: Tensor, target: Tensor) -> None:
    """Put what was written into `target` into `out`, if that is a kernel whose entries lie in another order."""
    if target.data_ptr() != out.data_ptr():
        out.copy_(target.reshape(out.shape))


def check(params: Tensors, grads: Tensors) -> None:
    """Raise UserError unless params and gradients have the same names and shapes [S, n, ...]."""
    if params.keys() != grads.keys():
        odd = ", ".join(sorted(params.keys() ^ grads.keys()))
        raise UserError(f"parameters and gradients must have the same names; only one of them has: {odd}")
    for name, param in params.items():
        shape, grad_shape = tuple(param.shape), tuple(grads[name].shape)
        if shape != grad_shape or len(shape) < 2:
            raise UserError(
                f"parameter {name} has shape {shape}, its gradient {grad_shape}; "
                "allowed: equal shapes [S, n], [S, out, in] or [S, out, in, kh, kw], S models"
            )


def slot(state: Tensors, key: str) -> Tensor:
    """One entry of the state; raise UserError where it is missing."""
    if key not in state:
        raise UserError(f"optimizer state has no {key!r}; use what its init() or step() returned")
    return state[key]
