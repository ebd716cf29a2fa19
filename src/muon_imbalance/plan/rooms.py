"""What the planner asks of the rooms whose modules a configuration names; nothing of them is imported.

INTERIM: the second half of each ``try`` stands in for rooms that still have written registries; remove it when all
modules declare ``Options``, tasks ``NEEDS`` and builders ``PARENTS``.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from muon_imbalance.common.discovery import Room
from muon_imbalance.common.settings import Settings


class Anything(Settings, extra="allow"):
    """Options of a module that declares none yet."""


class _Written(Room):
    """A room with a written registry."""

    def __init__(self, noun: str, homes: dict[str, str]):
        super().__init__(noun, mark="build")
        self.written = homes

    def homes(self) -> dict[str, str]:
        return dict(sorted(self.written.items()))

    def options(self, name: str) -> type[Settings]:
        self.file(name)
        return Anything


try:
    from muon_imbalance.models.registry import MODELS, has_vectors
except ImportError:
    from muon_imbalance.models import registry as _models

    MODELS = _Written("model", _models.MODELS)

    def has_vectors(name: str) -> bool:
        """Whether a model has parameters that are no matrices."""
        return name not in ("linear", "one_hidden")


try:
    from muon_imbalance.training.registry import TASKS, chosen, needs
except ImportError:
    from muon_imbalance.training import registry as _tasks

    class _Task(Settings):
        """Settings of any task."""

        metrics: Any = None
        evaluate: Any = None
        mixture: Any = None
        model: Any = None
        pixel_range: Any = None
        labels: Any = None
        off_diagonal: Any = None
        weighting: Any = None
        augment: Any = None
        decode: Any = None
        logit_share: Any = None

    class _Tasks(_Written):
        def options(self, name: str) -> type[Settings]:
            self.file(name)
            return _Task

    TASKS = _Tasks("task", _tasks.TASKS)
    _SERVES = {
        "bilinear": ["organisms"],
        "classification": ["barcoded_mnist", "colored_mnist", "gaussian_mixture"],
        "decoding": ["dominoes"],
        "features": ["image_features", "portraits", "text_features"],
        "finetuning": ["transfer"],
        "language": ["addk", "tales", "tinystories", "toystories"],
        "network": ["step_imbalance"],
        "sample_moments": ["gaussian_mixture"],
    }

    def needs(task: str) -> Any:
        """What the jobs of a task need."""
        TASKS.file(task)
        kind = "stacked" if task == "classification" else "modules" if task in _tasks.NAMED else ""
        return SimpleNamespace(
            minibatch=kind == "modules",
            dataset=task in _SERVES,
            builders=_SERVES.get(task, []),
            models=kind,
            classes=task not in ("deep_linear", "population", "sample_moments"),
        )

    def chosen(task: str, settings: dict, where: str) -> None:
        """Settings of one model, checked."""
        if needs(task).models:
            MODELS.file(settings["model"]["name"])


try:
    from muon_imbalance.data.registry import BUILDERS, parents, source
except ImportError:
    from muon_imbalance.data import registry as _builders

    BUILDERS = _Written("data set builder", _builders.BUILDERS)
    _PARENTS = {
        "addk": {"parent": ("tinystories", "toystories")},
        "barcoded_mnist": {"parent": ("mnist",)},
        "colored_mnist": {"parent": ("mnist",)},
        "dominoes": {"digits": ("mnist",), "photos": ("cifar10", "fractal100")},
        "image_features": {"samples": ("skygroups",), "weights": ("pretrained",)},
        "portraits": {"samples": ("celeba",), "weights": ("pretrained",)},
        "skygroups": {"photos": ("cifar10", None)},
        "step_imbalance": {"parent": ("cifar10", "cifar100", "fractal100")},
        "text_features": {"samples": ("multinli", "toynli"), "encoder": ("encoder_weights",)},
        "transfer": {"pictures": ("step_imbalance",), "weights": ("pretrained",)},
    }

    def parents(name: str) -> dict[str, tuple[str | None, ...]]:
        """Role -> builders whose data sets can play it."""
        return _PARENTS.get(name, {})

    def source(name: str, config: dict) -> str | None:
        """Name of the source that a data set with this config is read from."""
        return config.get("source")


try:
    from muon_imbalance.theory.tables import DEFAULT, TABLES
    from muon_imbalance.theory.tables import options as table_options
except ImportError:
    DEFAULT = "curves"
    _names = ("controls", "joint_diagonalisation", "theorem_bounds")
    TABLES = _Written("theory table", {name: f"muon_imbalance.theory.tables.{name}" for name in _names})

    def table_options(name: str, reads_data: bool = False) -> type[Settings]:
        """The settings class of a table."""
        return Anything if name == DEFAULT else TABLES.options(name)


needs, parents = cache(needs), cache(parents)
task_options, builder_options = cache(TASKS.options), cache(BUILDERS.options)

__all__ = ["BUILDERS", "DEFAULT", "MODELS", "TABLES", "TASKS", "builder_options", "chosen", "has_vectors", "needs",
           "parents", "source", "table_options", "task_options"]  # fmt: skip
