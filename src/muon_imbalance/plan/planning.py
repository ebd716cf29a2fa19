"""The plan: a configuration, read and checked, as typed records that rules, tests, benchmarks and the CLI ask.

    plan = Plan.read(Path("."), {"scale": "smoke"})
    jobs.job(plan, "colored_mnist", "muon", "final")

Nothing here imports torch.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Settings, checked
from muon_imbalance.plan import records, sweeps
from muon_imbalance.plan.experiments import check_task, experiment
from muon_imbalance.plan.families import Loaded, load
from muon_imbalance.plan.records import Training


@dataclass(frozen=True)
class Plan:
    """Everything that a configuration says at one scale.

    Attributes:
        root: the project's folder.
        config: the configuration as written, with the optimizers that join by a default grid in their sweeps; jobs are
            given what is written, not defaults.
        loaded: ``loaded.places.of("experiments.x.epochs")`` says where a setting is written, ``loaded.origin`` whether
            it is the paper's.
        run: settings of the whole run.
        experiments: all of them; ``training`` those that train models.
        claims: the statements of claims/, variants included.
    """

    root: Path
    config: dict[str, Any]
    loaded: Loaded
    run: records.Configuration
    datasets: dict[str, records.Dataset]
    optimizers: dict[str, records.Optimizer]
    experiments: dict[str, records.Experiment]
    figures: dict[str, records.Figure]
    card: records.Card
    claims: Sequence[Any] = ()

    @classmethod
    def read(cls, root: Path, overrides: Mapping[str, Any] | None = None, files: Sequence[Path] = ()) -> "Plan":
        """The plan of a folder's configuration.

        Args:
            overrides: settings that go before all others (``--config``).
            files: a user's own files, laid over the project's (``--configfile``).

        Raises:
            UserError: the first mistake, in one sentence with file and line where they are known.
        """
        from muon_imbalance.plan import claims, sources  # which take a plan

        root = Path(root).resolve()
        sources.check_syntax(root)
        plan = cls.of(root, load(root, overrides or {}, files))
        sources.check_classes(plan)
        return replace(plan, claims=claims.read(plan))

    @classmethod
    def of(cls, root: Path, loaded: Any) -> "Plan":
        """The plan of a loaded configuration, without its claims; raises :class:`UserError` as :meth:`read` does."""
        from muon_imbalance.plan import checks  # which takes a plan

        try:
            plan = cls._typed(root, loaded)
            checks.check(plan)
        except UserError as error:
            raise UserError(placed(str(error), loaded.places)) from None
        return plan

    @classmethod
    def _typed(cls, root: Path, loaded: Any) -> "Plan":
        """Every entry as a record."""
        known = records.Configuration.model_fields
        if unknown := next((key for key in loaded.config if key not in known), None):
            raise UserError(f"{unknown}: unknown key {unknown!r}; allowed: {', '.join(sorted(known))}")
        try:
            run = checked(records.Configuration, loaded.config, "config")
        except UserError as error:
            raise UserError(str(error).removeprefix("config.")) from None

        def typed(kind: str, record: type[Settings], within: Settings = run) -> dict[str, Any]:
            entries = getattr(within, kind.rpartition(".")[2])
            return {name: checked(record, entry, f"{kind}.{name}") for name, entry in entries.items()}

        for kind in ("datasets", "optimizers", "experiments", "figures"):
            sweeps.check_names(getattr(run, kind), kind, *([records.FIGURE] if kind == "figures" else []))
        optimizers = {name: sweeps.optimizer(name, entry) for name, entry in run.optimizers.items()}
        figures = typed("figures", records.Figure)
        for name, entry in run.experiments.items():
            check_task(entry, f"experiments.{name}")
        config = sweeps.joined(loaded.config, loaded.left_out)
        datasets = typed("datasets", records.Dataset)
        card = checked(records.Card, run.card, "card")
        sweeps.check_names(card.experiments, "card.experiments")
        card = card.model_copy(update={"experiments": typed("card.experiments", records.CardExperiment, card)})
        experiments = {name: experiment(name, entry, datasets) for name, entry in config["experiments"].items()}
        return cls(root, config, loaded, run, datasets, optimizers, experiments, figures, card)

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return self.run.scale

    @property
    def training(self) -> dict[str, Training]:
        """Experiments in which models are trained."""
        return {name: one for name, one in self.experiments.items() if isinstance(one, Training)}

    def written(self, name: str) -> dict[str, Any]:
        """An experiment as written, with its joined sweep."""
        return self.config["experiments"][name]

    def lineage(self, names: Iterable[str]) -> list[str]:
        """Data sets and all that they are made from, the nearest first."""
        found = list(dict.fromkeys(names))
        for name in found:  # which grows
            found += [one for one in dict.fromkeys(self.datasets[name].made_from.values()) if one not in found]
        return found

    def scale_option(self) -> str:
        """What a command line needs for this scale."""
        return "" if self.scale == "laptop" else f" --config scale={self.scale}"


def placed(message: str, places: Any) -> str:
    """A message that begins with a dotted place, with file and line in front of it."""
    found = re.match(r"([\w.]*)(?:: unknown key '([\w.]+)')?", message).groups("")
    place = places.of(".".join(filter(None, found)))
    return f"{place or 'config'}: {message}"
