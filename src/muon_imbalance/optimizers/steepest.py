"""Normalised steepest descent and its momentum form: the family of Table 1, with the norm as data.

    M_t = beta M_{t-1} + (1 - beta) G_t                    (without momentum M_t = G_t)
    Z_t = M_t, or with Nesterov beta M_t + (1 - beta) G_t
    W_t = (1 - lr * weight_decay) W_{t-1} - lr * scale * lmo(Z_t)

Every weight tensor is normalised by itself (unless NMD's scope is "global": all parameters of a model are
one vector then). A vector [S, n] counts as an n x 1 matrix, on which the Frobenius and the spectral norm
coincide; a kernel [S, out, in, kh, kw] as an out x (in kh kw) matrix.
Source: Eq. 1, Eq. 4, App. A.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from muon_imbalance.optimizers.base.hyperparameters import Hyper, choice, decay, flag, hyper
from muon_imbalance.optimizers.base.protocol import HALF, Tensors, as_matrix, before_and_after, check, settle, slot
from muon_imbalance.optimizers.geometry.batched import batches, jointly_normalised, lmos_together
from muon_imbalance.optimizers.geometry.norms import Frobenius, Max, Norm, Spectral, portions

OPTIMIZERS = ("ngd", "signgd", "specgd", "nmd", "signum")


class Steepest:
    """Steepest descent in `norm`; momentum None means no momentum and no state.

    scale: "none" is 1; "original" is sqrt(max(1, rows/cols)) of the matrix; "kernel" takes rows and cols
    from the last two axes of the parameter, as Muon's reference code does (kernel height and width for a
    convolution). scope: "layer", or "global" for one Frobenius norm over all parameters.
    """

    def __init__(
        self,
        norm: Norm,
        lr: Hyper,
        momentum: Hyper | None,
        weight_decay: Hyper,
        nesterov: bool = False,
        scale: str = "none",
        scope: str = "layer",
    ):
        self.scope = scope
        self.norm, self.lr, self.nesterov, self.scale = norm, lr, nesterov, scale
        self.momentum = momentum
        self.fresh = None if momentum is None else Hyper(1 - momentum.value, "momentum")
        self.decay = decay(lr, weight_decay)
        self.kept = 1.0 if self.decay is None else self.decay.common()
        self.multiple = scope == "layer" and hasattr(norm, "rate")
        self.shapeless = scale == "none" and (self.multiple or hasattr(norm, "descend_"))
        self.takes_lists = scope == "layer"
        self.add = getattr(norm, "add", None) if scope == "layer" else None

    def init(self, params: Tensors) -> Tensors:
        if self.momentum is None:
            return {}
        return {f"momentum/{name}": torch.zeros_like(param) for name, param in params.items()}

    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        check(params, grads)
        return self._step(params, grads, state, torch.empty_like)

    def step_(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        """The same step in the memory of params and state."""
        check(params, grads)
        return self._step(params, grads, state, lambda tensor: tensor)

    @torch.no_grad()
    def _step(self, params: Tensors, grads: Tensors, state: Tensors, room: Callable[[Tensor], Tensor]):
        """`room` says where the new value of a tensor goes."""
        new_params, new_state = {}, {}
        together = batches(self.norm, grads) if self.scope == "layer" else [list(grads)]
        for names in together:  # one batch at a time, while its tensors are in the cache
            updates = {name: self._update(name, grads[name], state, new_state, room) for name in names}
            if self.add is not None and updates[names[0]].dtype not in HALF:
                new_params |= self._added(params, updates, room)
                continue
            for name, direction in self._directions(updates).items():
                new_params[name] = self._moved(params[name], direction, room)
        return {name: new_params[name] for name in params}, {key: new_state[key] for key in state if key in new_state}

    def _update(self, name: str, grad: Tensor, state: Tensors, new_state: Tensors, room) -> Tensor:
        """Z_t of one parameter; puts M_t into `new_state`."""
        if self.momentum is None:
            return grad
        key = f"momentum/{name}"
        old = slot(state, key)
        buffer = new_state[key] = torch.lerp(old, grad, self.fresh(grad), out=room(old))
        return torch.lerp(grad, buffer, self.momentum(grad)) if self.nesterov else buffer

    def _directions(self, updates: Tensors) -> Tensors:
        """What is subtracted, up to the factor of :meth:`_moved`."""
        if self.scope == "global":
            return jointly_normalised(updates)
        return updates if self.multiple else lmos_together(self.norm, updates)

    def _moved(self, param: Tensor, direction: Tensor, room) -> Tensor:
        """W_t of one parameter."""
        new, kept, lr = room(param.detach()), param, self.lr(param)
        if self.multiple:
            lr = self.norm.rate(as_matrix(direction), as_matrix(lr)).reshape(lr.shape)
        if self.decay is not None:
            kept = torch.mul(param, self.decay(param), out=new)
        return torch.addcmul(kept, direction, lr, value=-self._factor(param), out=new)

    def _added(self, params: Tensors, updates: Tensors, room) -> Tensors:
        """W_t of parameters whose directions are products, which are added without being stored."""
        new = {name: room(params[name].detach()) for name in updates}
        kept, before = self.kept, {name: params[name] for name in updates}
        if kept is None:  # more than one factor, and a sum of products takes only one
            kept, before = 1.0, {name: torch.mul(p, self.decay(p), out=new[name]) for name, p in before.items()}
        pairs = [before_and_after(param, out) for param, out in zip(before.values(), new.values(), strict=True)]
        sources, targets = zip(*pairs, strict=True)
        matrices = [as_matrix(update) for update in updates.values()]
        scales = [-self._factor(param) for param in before.values()]
        self.add(matrices, self.lr(matrices[0]), scales, sources, targets, kept)
        for out, target in zip(new.values(), targets, strict=True):
            settle(out, target)
        return new

    @torch.no_grad()
    def step_lists_(self, params: list[Tensor], grads: list[Tensor], state: dict[str, list[Tensor]]) -> None:
        """The same step for one model, in the memory of params and of the lists in state; one dtype, one device."""
        if not self.shapeless:
            buffers = {f"{slot}/{i}": tensor for slot, tensors in state.items() for i, tensor in _stacks(tensors)}
            self._step(dict(_stacks(params)), dict(_stacks(grads)), buffers, lambda tensor: tensor)
            return
        if self.multiple:  # by the norm of each whole tensor
            params, updates = self._before_lists(params, grads, state.get("momentum"))
            torch._foreach_addcmul_(params, updates, self.norm.rates(updates, self.lr.number()), value=-1)
            return
        momentum = [] if self.momentum is None else [state["momentum"]]
        for some, *given in portions(params, grads, *momentum):
            self.norm.descend_(*self._before_lists(some, *given), self.lr.number())

    def _before_lists(self, params: list[Tensor], grads: list[Tensor], momentum: list[Tensor] | None = None):
        """The params, decayed in place, and Z_t of each; puts M_t into `momentum`."""
        updates = grads
        if momentum is not None:
            torch._foreach_lerp_(momentum, grads, self.fresh.number())
            updates = torch._foreach_lerp(grads, momentum, self.momentum.number()) if self.nesterov else momentum
        if self.decay is not None:
            torch._foreach_mul_(params, self.decay.number())
        return params, updates

    def _factor(self, param: Tensor) -> float:
        if self.scale == "none":
            return 1.0
        rows, cols = (as_matrix(param) if self.scale == "original" else param).shape[-2:]
        return math.sqrt(max(1.0, rows / cols))


def _stacks(tensors: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Numbered stacks of one in the memory of the tensors; a scalar is a vector of one entry."""
    return ((str(i), tensor.unsqueeze(0) if tensor.ndim else tensor.view(1, 1)) for i, tensor in enumerate(tensors))


def ngd(*, lr=0.01, weight_decay=0.0) -> Steepest:
    """Normalised gradient descent: W <- W - lr G / ||G||_F (Table 1)."""
    return Steepest(Frobenius(), hyper("lr", lr), None, hyper("weight_decay", weight_decay))


def signgd(*, lr=0.01, weight_decay=0.0) -> Steepest:
    """Sign descent: W <- W - lr sign(G) (Table 1)."""
    return Steepest(Max(), hyper("lr", lr), None, hyper("weight_decay", weight_decay))


def specgd(*, lr=0.01, weight_decay=0.0) -> Steepest:
    """Spectral descent: W <- W - lr U V^T with G = U S V^T, exact (Table 1)."""
    return Steepest(Spectral(), hyper("lr", lr), None, hyper("weight_decay", weight_decay))


def nmd(*, lr=0.03, momentum=0.9, weight_decay=0.0, nesterov=False, scope="layer") -> Steepest:
    """Normalised momentum descent: W <- W - lr M / ||M||_F (Table 1).

    scope: "layer" (each weight tensor by itself) or "global" (one norm for all parameters of a model).
    """
    scope = choice("scope", scope, ("layer", "global"))
    return _with_momentum(Frobenius(), lr, momentum, weight_decay, nesterov, scope)


def signum(*, lr=1e-4, momentum=0.9, weight_decay=0.0, nesterov=False) -> Steepest:
    """Sign descent with momentum: W <- W - lr sign(M) (Table 1)."""
    return _with_momentum(Max(), lr, momentum, weight_decay, nesterov)


def _with_momentum(norm: Norm, lr, momentum, weight_decay, nesterov, scope="layer") -> Steepest:
    return Steepest(
        norm,
        hyper("lr", lr),
        hyper("momentum", momentum, below=1),
        hyper("weight_decay", weight_decay),
        flag("nesterov", nesterov),
        scope=scope,
    )
