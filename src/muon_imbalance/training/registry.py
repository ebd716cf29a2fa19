"""Tasks by name, imported when asked for.

A task module offers ``stackable(settings)``, which is equal for models that can be trained in one stack, and
``build(settings, job, seeds, data)``, the task of a stack: one dictionary of settings and one repetition per model.
"""

import importlib
from types import ModuleType

from muon_imbalance.common.errors import UserError

TASKS = {
    "bilinear": "muon_imbalance.training.tasks.bilinear",
    "classification": "muon_imbalance.training.tasks.classification",
    "decoding": "muon_imbalance.training.tasks.decoding",
    "deep_linear": "muon_imbalance.training.tasks.deep_linear",
    "features": "muon_imbalance.training.tasks.features",
    "finetuning": "muon_imbalance.training.tasks.finetuning",
    "language": "muon_imbalance.training.tasks.language",
    "network": "muon_imbalance.training.tasks.network",
    "population": "muon_imbalance.training.tasks.population",
    "sample_moments": "muon_imbalance.training.tasks.sample_moments",
}
NAMED = ("classification", "decoding", "features", "finetuning", "language", "network")
"""Tasks whose model and data set are modules that the configuration names."""


def module_name(task: str) -> str:
    """Dotted module of a task; an unknown name is a :class:`UserError`."""
    if task not in TASKS:
        raise UserError(f"task is {task!r}; allowed: {', '.join(sorted(TASKS))}")
    return TASKS[task]


def module(task: str) -> ModuleType:
    """The task's module."""
    return importlib.import_module(module_name(task))
