"""Tasks and their checked settings: modules of :mod:`muon_imbalance.training.tasks`, read without importing torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muon_imbalance.common.discovery import Room
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.models import registry as models
from muon_imbalance.training.options import Needs

TASKS = Room("task", "training/tasks")


class Dataset(Settings):
    """The data set of a job."""

    name: str = Field(description="name in the configuration, part of the seeds")
    builder: str = Field(description="module that made it")
    config: dict[str, Any] = Field(description="options of the builder")


@dataclass(frozen=True)
class Chosen:
    """Checked settings of one model: the task's own ``options`` (its class ``Options``), its data set, its model."""

    options: Settings
    dataset: Dataset | None = None
    model: models.Model | None = None


def needs(task: str) -> Needs:
    """What the jobs of a task need, as its module declares it; without torch.

    Raises:
        UserError: the task is unknown, or its module declares no ``NEEDS``.
    """
    if (found := TASKS.constant(task, "NEEDS")) is None:
        raise UserError(f"task {task!r}: {TASKS.file(task)} declares no NEEDS (see muon_imbalance.training.tasks)")
    return found


def chosen(task: str, settings: Mapping[str, Any], where: str) -> Chosen:
    """Settings of one model (those of a variant merged in), checked.

    Args:
        settings: keys of the task's ``Options``, and ``dataset`` and ``model`` where it needs them.
        where: dotted place of ``settings``, such as ``experiments.cifar10_r20``.

    Raises:
        UserError: a key that is missing, unknown to this task or its model, or out of range.
    """
    wanted, own = needs(task), dict(settings)
    found: dict[str, Any] = {}
    for key, needed in (("dataset", wanted.dataset), ("model", bool(wanted.models))):
        if needed and key not in own:
            raise UserError(f"{where}: key {key!r} is missing (task {task} needs it)")
        found[key] = own.pop(key) if needed else None
    return Chosen(
        checked(TASKS.options(task), own, where),
        checked(Dataset, found["dataset"], f"{where}.dataset") if wanted.dataset else None,
        models.chosen(found["model"], f"{where}.model", wanted.models) if wanted.models else None,
    )
