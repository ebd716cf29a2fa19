"""The training loop: a stack of models, one optimizer, recorded at chosen steps, resumable, divergence noted."""

import logging
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from muon_imbalance.common.progress import Progress
from muon_imbalance.optimizers.base.protocol import Optimizer
from muon_imbalance.plan.job import Length
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.task import Key, Task, Tensors

log = logging.getLogger("muon_imbalance")


@dataclass(frozen=True)
class Saves:
    """Where the checkpoints of one stack go, and when they are written.

    Attributes:
        name: of this stack within the job.
        seconds: between two checkpoints; ``steps``: one also after each so many updates (0: never).
    """

    checkpoints: Checkpoints
    name: str
    seconds: float
    steps: int = 0


@dataclass
class History:
    """What was measured: ``values[record, key, model]`` at ``steps[record]``; ``died[model]``: step of divergence."""

    steps: list[int]
    keys: list[Key]
    values: np.ndarray
    died: np.ndarray  # [S], step of divergence, -1 = never


def expand(mask: Tensor, like: Tensor) -> Tensor:
    """``[S]`` reshaped to broadcast against ``[S, ...]``."""
    return mask.reshape(-1, *(1,) * (like.ndim - 1))


def finite(loss: Tensor, grads: Tensors) -> Tensor:
    """``[S]``: models whose loss and gradients are all finite."""
    if len(loss) == 1:  # lengths are quicker than sums; where one is not finite, its squares may be too large
        quick = torch.isfinite(torch.stack(torch._foreach_norm(list(grads.values()))).sum() + loss)
        if bool(quick):
            return quick
    return torch.isfinite(sum((grad.flatten(1).sum(1) for grad in grads.values()), loss))


def train(task: Task, optimizer: Optimizer, plan: Length, saves: Saves, progress: Progress) -> History:
    """Train one stack as planned, from its last checkpoint if there is one.

    A model whose loss or gradient stops being finite is frozen: its gradient is set to zero from then on (the other
    models of the stack are untouched) and its later records are NaN. When all are frozen the rest is not computed.
    """
    steps, recorded = plan.steps, plan.recorded
    checkpoints, name = saves.checkpoints, saves.name
    done = checkpoints.load(f"{name}.done")
    if done is not None:
        progress.skip(steps)
        return _unpack(done[1], recorded, len(recorded))

    params = task.init()
    state = optimizer.init(params)
    died = torch.full((next(iter(params.values())).shape[0],), -1, dtype=torch.int64)
    keys: list[Key] = []
    values: list[Tensor] = []
    begin = 0
    saved = checkpoints.load(name)
    if saved is not None:
        begin, tensors = saved
        params = {k: tensors[f"params:{k}"].to(v.device) for k, v in params.items()}
        kept = {k.removeprefix("state:"): v for k, v in tensors.items() if k[:6] == "state:"}
        state = optimizer.restored(kept, state)
        task.restored({k.removeprefix("task:"): v for k, v in tensors.items() if k[:5] == "task:"})
        history = _unpack(tensors, recorded, sum(step < begin for step in recorded))
        keys, died = history.keys, torch.from_numpy(history.died)
        values = list(torch.from_numpy(history.values))
        progress.skip(begin)
        log.info(f"{progress.label}: going on at step {begin} of a run that was interrupted")

    wanted, last_save = set(recorded), time.monotonic()
    resumable = optimizer.resumable
    if not resumable:
        log.info(f"{progress.label}: its state cannot be stored; after an interruption it starts from the beginning")
    for step in range(begin, steps + 1):
        measure = step in wanted
        loss, grads, measured = task.gradients(params, measure)
        good = finite(loss, grads)
        if not bool(good.all()):
            died[(died < 0) & ~good.cpu()] = step
        dead = (died >= 0).to(loss.device)
        if keys and bool(dead.all()):
            nothing = torch.full((len(keys), len(died)), torch.nan, dtype=torch.float64)
            values += [nothing] * (len(recorded) - len(values))
            progress.skip(steps - step)
            break
        if bool(dead.any()):
            grads = {k: torch.where(expand(dead, g), torch.zeros_like(g), g) for k, g in grads.items()}
            params = {k: torch.where(expand(dead, p), torch.zeros_like(p), p) for k, p in params.items()}
        if measure:
            measured |= task.evaluate(params)
            keys = keys or list(measured)
            row = torch.stack([measured[k].to(torch.float64).cpu() for k in keys])
            row[:, dead.cpu()] = torch.nan
            values.append(row)
        if step == steps:
            break
        if not bool(dead.all()):
            params, state = optimizer.step(params, grads, state)
        progress.update()
        due = saves.steps and (step + 1) % saves.steps == 0
        if resumable and (due or time.monotonic() - last_save >= saves.seconds):
            stored = optimizer.stored(state)
            tensors = {f"params:{k}": v for k, v in params.items()} | {f"state:{k}": v for k, v in stored.items()}
            tensors |= {f"task:{k}": v for k, v in task.stored().items()}
            checkpoints.save(name, step + 1, tensors | _pack(keys, values, died))
            last_save = time.monotonic()
    checkpoints.save(f"{name}.done", steps, _pack(keys, values, died))
    return History(recorded, keys, torch.stack(values).numpy(), died.numpy())


def _pack(keys: list[Key], values: list[Tensor], died: Tensor) -> Tensors:
    text = "\n".join("\t".join(key) for key in keys).encode()
    return {
        "history:keys": torch.tensor(list(text), dtype=torch.uint8),
        "history:values": torch.stack(values) if values else torch.zeros(0, 0, died.numel(), dtype=torch.float64),
        "history:died": died,
    }


def _unpack(tensors: Tensors, recorded: list[int], count: int) -> History:
    text = bytes(tensors["history:keys"].tolist()).decode()
    keys = [tuple(line.split("\t")) for line in text.splitlines()]
    return History(recorded[:count], keys, tensors["history:values"].numpy(), tensors["history:died"].numpy())
