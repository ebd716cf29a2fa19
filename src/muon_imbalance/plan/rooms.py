"""The rooms whose modules a configuration names, as the planner uses them; nothing of them is imported."""

from functools import cache

from muon_imbalance.data.registry import BUILDERS, parents, source
from muon_imbalance.models.registry import MODELS, has_vectors
from muon_imbalance.theory.tables import DEFAULT, TABLES
from muon_imbalance.theory.tables import options as table_options
from muon_imbalance.training import registry
from muon_imbalance.training.registry import TASKS, chosen

needs = cache(registry.needs)
task_options, builder_options = cache(TASKS.options), cache(BUILDERS.options)

__all__ = ["BUILDERS", "DEFAULT", "MODELS", "TABLES", "TASKS", "builder_options", "chosen", "has_vectors", "needs",
           "parents", "source", "table_options", "task_options"]  # fmt: skip
