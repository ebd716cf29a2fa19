"""Any `torch.optim.Optimizer` subclass as an optimizer of the training loop.

It trains one model at a time: a stack of one, whose parameters [1, out, in] it sees as [out, in] (vectors [1, n] as
[n]), through its own ``step()``, without a closure. Gradients are copies, so that a class may change them in place.
"""

import importlib
import inspect
import logging
import sys
from collections.abc import Callable
from functools import cached_property

import torch

from muon_imbalance.common import tokens
from muon_imbalance.common.errors import UserError
from muon_imbalance.optimizers.adam import adam
from muon_imbalance.optimizers.base.protocol import Optimizer, Tensors, is_matrix
from muon_imbalance.optimizers.torch_bridge import torch_state, user_code

log = logging.getLogger("muon_imbalance")
STORE, VECTORS = "class/", "vectors/"


def load(name: str, described: dict) -> type[torch.optim.Optimizer]:
    """The class that ``described["class"]`` names; ``described["path"]`` is a further folder to import from.

    Raises:
        UserError: it cannot be imported, does not exist, or is no optimizer with a ``step``.
    """
    module, attribute = user_code.parts(described["class"])
    where = f"optimizer {name}: class {described['class']!r}"
    if described.get("path") and described["path"] not in sys.path:
        sys.path.insert(0, described["path"])
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # a module may fail with anything
        place = user_code.folder(module, described.get("path"))
        hint = "" if place else "; install it, or name its folder under 'path'"
        raise UserError(f"{where} cannot be imported: {type(error).__name__}: {error}{hint}") from error
    if not hasattr(imported, attribute):
        raise UserError(f"{where}: module {module} has no attribute {attribute!r}")
    found = getattr(imported, attribute)
    if not (inspect.isclass(found) and issubclass(found, torch.optim.Optimizer)):
        raise UserError(f"{where} is not a subclass of torch.optim.Optimizer")
    if found.step is torch.optim.Optimizer.step:
        raise UserError(f"{where} has no method 'step' of its own")
    return found


def options(cls: type) -> tuple[dict[str, object], bool]:
    """Constructor arguments after the parameters with their defaults (None without), and whether it takes others."""
    _, *given = inspect.signature(cls).parameters.values()
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = {p.name: None if p.default is p.empty else p.default for p in given if p.kind not in several}
    return named, any(p.kind == inspect.Parameter.VAR_KEYWORD for p in given)


def arguments(name: str, cls: type, hyper: dict, cell: dict[str, str]) -> dict[str, object]:
    """Keyword arguments of the constructor: fixed ones (lists become tuples) and the tokens of a cell.

    Raises:
        UserError: the constructor has no such argument, or a token does not fit its default.
    """
    known, open_ = options(cls)
    for key in [*hyper, *cell]:
        if key not in known and not open_:
            raise UserError(
                f"optimizer {name}: {cls.__name__} has no argument {key!r}; allowed: {', '.join(sorted(known))}"
            )
    fixed = {key: tuple(value) if isinstance(value, list) else value for key, value in hyper.items()}
    try:
        swept = {key: tokens.value(key, token, known.get(key)) for key, token in cell.items()}
    except UserError as error:
        raise UserError(f"optimizer {name}: {error}") from None
    return fixed | swept | {"lr": float(swept["lr"])}


def build(
    name: str,
    described: dict,
    hyper: dict,
    cell: dict[str, str],
    seed: int = 0,
    rate: Callable[[int], float] | None = None,
) -> "TorchClass":
    """The optimizer of one run; ``described``: ``class``, ``path``, ``only_matrices`` of the configuration."""
    cls = load(name, described)
    given = arguments(name, cls, hyper, cell)

    def beside(factor: float) -> Optimizer:
        return adam(lr=given["lr"] * factor, betas=(0.9, 0.95), eps=1e-10)

    vectors = beside if described.get("only_matrices") else None
    return TorchClass(name, lambda params: cls(params, **given), vectors, seed, rate)


class TorchClass(Optimizer):
    """A torch optimizer as :class:`muon_imbalance.optimizers.base.protocol.Optimizer`, for stacks of one model.

    Parameters, gradients and state live in the torch optimizer; what ``step`` returns are views of its parameters.
    ``stored`` and ``restored`` bring its state to a checkpoint and back.

    Args:
        make: builds the torch optimizer from a list of parameters.
        vectors: builds, from a factor of the learning rate, what updates vectors instead (None: the class does).
        seed: of torch's global random numbers, which a class may use.
        rate: factor of the learning rate at each step, as a schedule has it (None: 1).
    """

    def __init__(self, name: str, make: Callable, vectors=None, seed: int = 0, rate=None):
        self.name, self.make, self.vectors, self.seed = name, make, vectors, seed
        self.rate = rate or (lambda step: 1.0)
        self.steps, self.quiet, self.scaled = 0, False, False

    def init(self, params: Tensors) -> Tensors:
        if len(next(iter(params.values()))) != 1:
            raise UserError(f"optimizer {self.name} is a torch class and trains one model at a time, not a stack")
        torch.manual_seed(self.seed)
        chosen, rest = self._split(params)
        if not chosen:
            raise UserError(f"optimizer {self.name}: the model has no matrices, and only_matrices is set")
        self.params = {name: torch.nn.Parameter(value[0].detach().clone()) for name, value in chosen.items()}
        try:
            self.optimizer = self.make(list(self.params.values()))
        except Exception as error:
            vectors = any(param.ndim != 2 for param in self.params.values())
            hint = " (2-D weights only? then set only_matrices: true)" if vectors else ""
            raise UserError(
                f"optimizer {self.name}: its constructor refused: {type(error).__name__}: {error}{hint}"
            ) from error
        self.rates = [group.get("lr") for group in self.optimizer.param_groups]
        return self.vectors(1.0).init(rest) if self.vectors else {}

    def _split(self, tensors: Tensors) -> tuple[Tensors, Tensors]:
        mine = {name: tensor for name, tensor in tensors.items() if self.vectors is None or is_matrix(tensor)}
        return mine, {name: tensor for name, tensor in tensors.items() if name not in mine}

    def step(self, params: Tensors, grads: Tensors, state: Tensors) -> tuple[Tensors, Tensors]:
        """One update. Decompositions that fail on numbers that overflowed end the run as diverged (NaN)."""
        rest, rest_grads = self._split(params)[1], self._split(grads)[1]
        factor = self.rate(self.steps)
        if factor != 1 or self.scaled:
            self._scale(factor)
        with torch.no_grad():
            for name, param in self.params.items():
                if params[name].data_ptr() != param.data_ptr():
                    param.copy_(params[name][0])
                param.grad = grads[name][0].clone()
        try:
            with torch.enable_grad():
                self.optimizer.step()
        except torch.linalg.LinAlgError as error:
            if not self.quiet:
                log.info(f"{self.name}: step {self.steps + 1} failed ({error}); the run counts as diverged")
            with torch.no_grad():
                for param in self.params.values():
                    param.fill_(torch.nan)
        except Exception as error:
            raise UserError(
                f"optimizer {self.name}: step {self.steps + 1} failed: {type(error).__name__}: {error}"
            ) from error
        self.steps += 1
        new = {name: param.detach().unsqueeze(0) for name, param in self.params.items()}
        if self.vectors:
            new_rest, state = self.vectors(factor).step(rest, rest_grads, state)
            new |= new_rest
        return {name: new[name] for name in params}, state

    def _scale(self, factor: float) -> None:
        """Set the learning rate of every group to ``factor`` times what it was built with.

        Raises:
            UserError: a group has no learning rate that could be set.
        """
        self.scaled = True
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            if not isinstance(rate, int | float):
                raise UserError(
                    f"optimizer {self.name}: its groups have no 'lr' that is a number, so it cannot follow a schedule; "
                    "allowed: experiments with a constant learning rate"
                )
            group["lr"] = rate * factor

    def state_inside(self) -> list[dict]:
        return list(self.optimizer.state.values())

    def stored(self, state: Tensors) -> Tensors:
        """State for a checkpoint: that of the torch optimizer, of torch's random numbers, and of the vectors."""
        stored = {STORE + key: value for key, value in torch_state.state_of(self.optimizer).items()}
        stored |= {"random": torch.get_rng_state(), "steps": torch.tensor(self.steps)}
        return stored | {VECTORS + key: value for key, value in state.items()}

    def restored(self, tensors: Tensors, fresh: Tensors | None = None) -> Tensors:
        """Take up a state of :meth:`stored` (after :meth:`init`)."""
        torch_state.restore(self.optimizer, _below(STORE, tensors))
        torch.set_rng_state(tensors["random"].cpu())
        self.steps = int(tensors["steps"])
        return _below(VECTORS, tensors)

    @cached_property
    def resumable(self) -> bool:
        """Whether going on from a stored state gives the same numbers, tried out on a small problem."""
        before = torch.get_rng_state()
        try:
            return _resumes(lambda: TorchClass(self.name, self.make, self.vectors, self.seed, self.rate))
        except UserError as error:
            log.info(f"note: {error} (on a small problem, trying whether it can be paused)")
            return False
        finally:
            torch.set_rng_state(before)


def _below(prefix: str, tensors: Tensors) -> Tensors:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def small_problem(vectors: bool, dtype: torch.dtype = torch.float32) -> tuple[Tensors, Callable[[Tensors], Tensors]]:
    """Parameters of a small network (a stack of one) and gradients of a quadratic for them."""
    rng = torch.Generator().manual_seed(0)
    shapes = {"0.weight": (5, 4), "1.weight": (3, 5)} | ({"0.bias": (5,), "1.bias": (3,)} if vectors else {})
    target, start = {}, {}
    for name, shape in shapes.items():
        target[name], start[name] = torch.randn(2, 1, *shape, generator=rng, dtype=dtype)
    return start, lambda params: {name: params[name] - target[name] for name in params}


def _resumes(make: Callable[[], TorchClass], before: int = 12, after: int = 6) -> bool:
    """Whether ``after`` steps from a stored state end where they do without the interruption, bit for bit."""
    whole, again = make(), make()
    whole.quiet = again.quiet = True
    try:
        params, gradients = small_problem(vectors=True)
        state = whole.init(params)
    except UserError:  # matrices only
        params, gradients = small_problem(vectors=False)
        state = whole.init(params)
    for _ in range(before):
        params, state = whole.step(params, gradients(params), state)
    try:
        kept = {key: value.detach().clone() for key, value in whole.stored(state).items()}
    except torch_state.Unstorable:
        return False
    copies = {name: value.clone() for name, value in params.items()}
    for _ in range(after):
        params, state = whole.step(params, gradients(params), state)
    again.init(copies)
    state = again.restored(kept)
    for _ in range(after):
        copies, state = again.step(copies, gradients(copies), state)
    return all(torch.allclose(params[name], copies[name], rtol=0, atol=0, equal_nan=True) for name in params)
