"""What every optimizer offers, and the stacked layout they share.

A sweep trains S models at once, so every tensor has a leading model axis: matrices ``[S, out, in]``, convolution
kernels ``[S, out, in, kh, kw]``, vectors ``[S, n]``. A single model is a stack of one.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from muon_imbalance.common.errors import UserError

Tensors = dict[str, Tensor]

HALF = (torch.bfloat16, torch.float16)
"""What is computed in float32 and rounded in the end."""


class Optimizer(ABC):
    """An update rule; parameters, gradients and state are flat dicts of stacked tensors.

    A subclass defines :meth:`init` and :meth:`step`. The rest has defaults: :meth:`step_` for single models, and what
    checkpoints and measurements need to know, which only an optimizer with state outside ``state`` answers otherwise.
    """

    resumable: bool = True
    """Whether a training that goes on from a stored state gives the same numbers."""

    any_shape: bool = False
    """Whether :meth:`step_` also takes tensors without a model axis."""

    @abstractmethod
    def init(self, params: Tensors) -> Tensors:
        """State before the first step, keys ``<slot>/<param>`` and ``count``; safetensors can hold it."""

    @abstractmethod
    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        """New parameters and new state; the arguments are left as they are.

        Raises:
            UserError: names or shapes of parameters, gradients and state do not fit.
        """

    @torch.no_grad()
    def step_(self, params: Tensors, grads: Tensors, slots: dict[str, Tensors], count: int) -> None:
        """The same step for one model, in place: ``params`` and the tensors in ``slots`` are written to.

        Args:
            params: stacks of one, of one dtype (no half precision) on one device; so are ``grads``, which are read.
            slots: the state by parameter and slot.
            count: number of this step, from 1; 0 where the state holds no ``count``.
        """
        state = {f"{slot}/{name}": tensor for name in params for slot, tensor in slots[name].items()}
        new, new_state = self.step(params, grads, state | {"count": torch.tensor(count - 1)})
        for name, param in params.items():
            param.copy_(new[name])
        for key, tensor in state.items():
            tensor.copy_(new_state[key])

    def state_inside(self) -> list[dict]:
        """State that is not in ``state``, for its memory to be counted."""
        return []

    def stored(self, state: Tensors) -> Tensors:
        """What a checkpoint holds of the optimizer."""
        return state

    def restored(self, tensors: Tensors, fresh: Tensors | None = None) -> Tensors:
        """The state that :meth:`stored` gave; ``fresh``, a state of :meth:`init`, says on which devices it belongs."""
        return {key: tensor.to(fresh[key].device) if fresh else tensor for key, tensor in tensors.items()}


def zeros(params: Tensors, *slots: str) -> Tensors:
    """State of these slots of each parameter before the first step."""
    return {f"{slot}/{name}": torch.zeros_like(param) for name, param in params.items() for slot in slots}


def by_parameter(params: Tensors, state: Tensors) -> dict[str, Tensors]:
    """The state of each parameter by slot."""
    slots: dict[str, Tensors] = {name: {} for name in params}
    for key, tensor in state.items():
        slot, _, name = key.partition("/")
        if name in slots:
            slots[name][slot] = tensor
    return slots


def is_matrix(param: Tensor) -> bool:
    """Which parameters are matrices: every stacked weight with two or more axes of its own, ``[S, out, in, ...]``.

    They get the matrix rule (Muon, Shampoo); biases, norms and other vectors ``[S, n]`` get Adam beside Muon. That
    counts the first and the last layer and convolution kernels as matrices, as the paper does (App. A: only
    vector parameters go to Adam).
    """
    return param.ndim > 2


def as_matrix(x: Tensor) -> Tensor:
    """``[S, out, ...]`` as ``[S, out, rest]``: kernels are flattened, a vector ``[S, n]`` becomes ``[S, n, 1]``."""
    return x if x.ndim == 3 else x.reshape(*x.shape[:2], -1)


def before_and_after(param: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """Both as matrices, of which the second is to be written: one and the same where they share memory."""
    target = as_matrix(out)
    return (target if param.data_ptr() == out.data_ptr() else as_matrix(param)), target


def write_back(out: Tensor, target: Tensor) -> None:
    """Put what was written into ``target`` into ``out``, if that is a kernel whose entries lie in another order."""
    if target.data_ptr() != out.data_ptr():
        out.copy_(target.reshape(out.shape))


def check(params: Tensors, grads: Tensors) -> None:
    """Parameters and gradients must have the same names and shapes ``[S, n, ...]``.

    Raises:
        UserError: they do not.
    """
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
    """One entry of the state.

    Raises:
        UserError: it is missing.
    """
    if key not in state:
        raise UserError(f"optimizer state has no {key!r}; use what its init() or step() returned")
    return state[key]
