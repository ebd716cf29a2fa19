"""What a claim may look at: the runs of one experiment, its settings and its closed forms.

Where an experiment has variants, an optimizer's runs of one of them are named ``<optimizer>.<variant>``.
"""

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from muon_imbalance.analysis.statistics import grids
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.runs import columns
from muon_imbalance.theory.moments import Mixture, Moments, population_moments
from muon_imbalance.theory.options import MixtureSettings

if TYPE_CHECKING:
    import pandas as pd

Series = tuple[np.ndarray, np.ndarray]  # steps [T], values [T] (or [T, k] for components)


class Missing(Exception):
    """What a check needs was not computed; the message says what, and the claim is ``not-run``."""


class Unusable(Exception):
    """A run's curve holds values that are not finite although the run is not marked as diverged."""


class Curve(ABC):
    """Something that has a value at every record of a run.

    Attributes:
        unit: kind of quantity, a key of ``claims.effects.UNITS``.
        floored: whether it is bounded below by 0 and above by 1, values at which nothing can be told apart.
    """

    unit: str = ""
    floored: bool = False

    @abstractmethod
    def of(self, run: "Run") -> Series:
        """``steps [T], values [T]``.

        Raises:
            UserError: the run did not record it.
            Unusable: it is not finite everywhere.
            NoValue: it is not defined for this run.
        """


@dataclass(frozen=True, order=True)
class Recorded(Curve):
    """A recorded curve: a metric on a split and a group."""

    metric: str
    split: str
    group: str = "all"

    @property
    def unit(self) -> str:
        """Kind of quantity of its metric."""
        return columns.unit(self.metric)

    @property
    def floored(self) -> bool:
        """Whether it is an accuracy."""
        return self.unit == "accuracy"

    def of(self, run: "Run") -> Series:
        return run.curve(self)

    def __str__(self) -> str:
        return f"{self.metric} ({self.split}, {self.group})"


def _mixture(settings: dict, name: str) -> Mixture:
    return Mixture.of(checked(MixtureSettings, settings, f"experiment {name}: mixture"))


@dataclass(frozen=True, eq=False)
class Run:
    """One trained model (final phase): its curves up to the step ``until``; ``details``: its column ``hyper``."""

    experiment: "Experiment"
    optimizer: str
    seed: int
    lr: float
    rows: dict[Recorded, Series]
    until: float = float("inf")
    details: dict = field(default_factory=dict)

    @cached_property
    def mixture(self) -> Mixture:
        """Data model it was trained on (its variant's, if that has its own)."""
        own = self.details.get("mixture")
        return _mixture(own, self.experiment.name) if own else self.experiment.mixture

    @cached_property
    def moments(self) -> Moments:
        """Moments of its mixture."""
        return population_moments(self.mixture)

    @property
    def horizon(self) -> int:
        """Last recorded step that counts."""
        return max(int(steps[steps <= self.until].max(initial=0)) for steps, _ in self.rows.values())

    def curve(self, name: Recorded) -> Series:
        """``steps [T], values [T]``; a curve that the run did not record is a :class:`UserError`."""
        if name not in self.rows:
            there = ", ".join(map(str, sorted(self.rows)))
            raise UserError(f"{self.optimizer} on {self.experiment.name} has no {name}; recorded are {there}")
        steps, values = self.rows[name]
        kept = steps <= self.until
        if not np.isfinite(values[kept]).all():
            raise Unusable(f"{name} is not finite everywhere")
        return steps[kept], values[kept]

    @property
    def layers(self) -> int:
        """Depth of its linear model."""
        return int(self.details.get("model", {}).get("layers", 1))

    @property
    def delta(self) -> float:
        """Its layers' entries start at ``exp(-delta)``; infinite: from zero."""
        return float(self.details.get("model", {}).get("delta", math.inf)) if self.layers > 1 else math.inf

    def components(self, metric: str, split: str = "population") -> Series:
        """``steps [T], values [T, k]`` of the groups ``class_0, class_1, ...``."""
        names = [Recorded(metric, split, f"class_{c}") for c in range(self.mixture.k)]
        series = [self.curve(name) for name in names]
        return series[0][0], np.stack([values for _, values in series], axis=1)


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment as claims see it.

    Attributes:
        frame: its runs table (final phase is used, the grid for its edges), or None if it was not run.
        settings: its entry in the configuration, or None.
        theory: its table of closed forms, or None.
        cut: last step that counts, per seed, where a stopping rule applies.
    """

    name: str
    frame: "pd.DataFrame | None" = None
    settings: dict | None = None
    theory: "pd.DataFrame | None" = None
    cut: dict[int, float] | None = None
    cache: dict = field(default_factory=dict, repr=False)

    def _all(self, optimizer: str) -> tuple[dict[int, Run], list[int]]:
        """Finished runs by seed, and the seeds that diverged."""
        if optimizer not in self.cache:
            frame, (name, _, variant) = self.table, optimizer.partition(".")
            chosen = frame[(frame["optimizer"] == name) & (frame["phase"] == "final")]
            chosen = chosen[columns.variants(chosen) == variant]
            if chosen.empty:
                raise Missing(f"no runs of {optimizer} on {self.name}")
            diverged = sorted(map(int, chosen.loc[chosen["diverged"], "seed"].unique()))
            self.cache[optimizer] = self._index(optimizer, chosen[~chosen["seed"].isin(diverged)]), diverged
        return self.cache[optimizer]

    def _index(self, optimizer: str, rows: "pd.DataFrame") -> dict[int, Run]:
        if rows.duplicated(["seed", "step", "split", "group", "metric"]).any():
            raise UserError(f"{self.name}: {optimizer} has several final runs of one seed; there must be one")
        found = {
            int(seed): Run(self, optimizer, int(seed), float(lr), {}, details=json.loads(hyper))
            for seed, lr, hyper in rows[["seed", "lr", "hyper"]].drop_duplicates("seed").itertuples(index=False)
        }
        steps, values = rows["step"].to_numpy(), rows["value"].to_numpy(dtype=float)
        order = np.argsort(steps, kind="stable")
        grouped = rows.iloc[order].groupby(["seed", "metric", "split", "group"], sort=False)
        for (seed, *names), places in grouped.indices.items():
            chosen = order[places]
            found[int(seed)].rows[Recorded(*names)] = steps[chosen], values[chosen]
        return found

    def runs(self, optimizer: str) -> dict[int, Run]:
        """Runs by seed that ended without diverging, shortened where a stopping rule applies."""
        found, _ = self._all(optimizer)
        if self.cut is None:
            return found
        return {seed: replace(run, until=self.cut[seed]) for seed, run in found.items() if seed in self.cut}

    def diverged(self, optimizer: str) -> list[int]:
        """Seeds whose run diverged."""
        return self._all(optimizer)[1]

    @property
    def looks(self) -> list[int]:
        """Numbers of repetitions at which it was planned to judge, ascending; none: once, whatever there is."""
        return list((self.settings or {}).get("looks", ()))

    def edge(self, optimizer: str) -> grids.Edge | None:
        """The edge of its grid that an optimizer's selected learning rate lies on, if it does."""
        sweep = (self.settings or {}).get("sweep", {}).get(optimizer.partition(".")[0])
        if self.frame is None or not sweep or "selection" not in self.settings:
            return None
        if ("edge", optimizer) not in self.cache:
            rule = self.settings["selection"]
            self.cache["edge", optimizer] = grids.edge(self.frame, optimizer, sweep["lr"], rule)
        return self.cache["edge", optimizer]

    def stopped(self, optimizer: str, curve: Recorded, below: float) -> "Experiment":
        """The same experiment, cut seed by seed at the first record where ``optimizer``'s curve is ``below``."""
        cut = {}
        for seed, run in self.runs(optimizer).items():
            steps, values = run.curve(curve)
            low = values < below
            cut[seed] = float(steps[np.argmax(low)]) if low.any() else float("inf")
        return replace(self, cut=cut)

    @property
    def table(self) -> "pd.DataFrame":
        """Its runs table, or :class:`Missing`."""
        if self.frame is None:
            raise Missing(f"experiment {self.name} was not run")
        return self.frame

    @property
    def described(self) -> dict:
        """Its settings, or :class:`Missing`."""
        if self.settings is None:
            raise Missing(f"the settings of experiment {self.name} were not given")
        return self.settings

    @property
    def closed_forms(self) -> "pd.DataFrame":
        """Its table of closed forms, or :class:`Missing`."""
        if self.theory is None:
            raise Missing(f"no theory table of {self.name}")
        return self.theory

    @property
    def mixture(self) -> Mixture:
        """Its data model."""
        if "mixture" not in self.described:
            raise UserError(f"experiment {self.name} has no key 'mixture'; it has {', '.join(sorted(self.settings))}")
        return _mixture(self.settings["mixture"], self.name)

    def closed_form(self, curve: str, metric: str) -> Series:
        """``steps [T], values [T, k]`` of a closed form, from the theory table."""
        table = self.closed_forms
        rows = table[(table["curve"] == curve) & (table["metric"] == metric)]
        groups = [f"class_{c}" for c in range(self.mixture.k)]
        table = rows[rows["group"].isin(groups)].pivot(index="step", columns="group", values="value").sort_index()
        if absent := set(groups) - set(table.columns):
            there = ", ".join(sorted(self.theory["curve"].unique()))
            raise UserError(f"theory of {self.name}: {curve} has no {metric} for {sorted(absent)}; curves are {there}")
        return table.index.to_numpy(), table[groups].to_numpy(dtype=float)
