"""A training job: one optimizer's sweep on one experiment, checked before anything is computed."""

import json
import math
from dataclasses import dataclass, field
from itertools import product

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.schedules import SCHEDULES

PHASES = ("grid", "final")


def overlaid(base: dict, changes: dict) -> dict:
    """``base`` with ``changes`` laid over it; mappings within are merged."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = overlaid(base[key], value) if both else value
    return merged


def cells(grid: dict[str, list[str]]) -> list[dict[str, str]]:
    """All combinations of a grid's values, in the order written."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


@dataclass(frozen=True)
class Run:
    """One model to train: its hyperparameters as text tokens, its repetition, and its variant ("" without)."""

    index: int
    cell: dict[str, str]
    seed: int
    variant: str = ""


@dataclass(frozen=True)
class Length:
    """How long a model is trained: updates in all, updates per epoch (1 where the batch is everything), records."""

    steps: int
    per_epoch: int
    recorded: list[int]


@dataclass(frozen=True)
class Job:
    """What ``python -m muon_imbalance.stages.train --job`` is given.

    Attributes:
        experiment, optimizer, phase: names that go into the table.
        task: name of a task (see :mod:`muon_imbalance.training.registry`).
        rule: name in the optimizer registry; ``hyper`` its fixed options.
        own: instead of a rule, a torch class (``class``, ``path``, ``only_matrices``), trained one model at a time.
        cells: hyperparameter cells (text tokens); ``seeds``: repetitions, shared by all optimizers.
        steps: number of updates; ``schedule``, ``warmup``: of the learning rate (see
            :mod:`muon_imbalance.common.schedules`); ``record``: ``{every, dense_until}``, which steps are measured.
        epochs, batch: in the place of ``steps``, for networks trained on minibatches, one model at a time; ``record``
            then counts epochs, and with ``within: k`` the first one is also measured at each k-th part of it.
        clip, autocast, compile: see :class:`muon_imbalance.training.minibatch.Minibatch`.
        first_run: number of the first run, where the sweep is split over several jobs.
        stack: models trained at once; ``chunk``: samples per pass; both change speed only.
        settings: what the task needs (dataset, model, metrics ...).
        variants: name -> changes to ``settings`` (under ``hyper`` to ``hyper``, under ``lr`` to every cell); each is
            trained with every cell and seed, and its rows say so under ``hyper``.
        chosen: cell of each variant, in place of ``cells`` (variants are tuned one by one).
    """

    experiment: str
    optimizer: str
    phase: str
    task: str
    rule: str
    cells: list[dict[str, str]]
    seeds: list[int]
    record: dict[str, int]
    steps: int = 0
    epochs: int = 0
    batch: int = 0
    warmup: int = 0
    clip: float = 0.0
    autocast: str = ""
    compile: bool = False
    hyper: dict = field(default_factory=dict)
    own: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    variants: dict[str, dict] = field(default_factory=dict)
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)
    schedule: str = "constant"
    first_run: int = 0
    stack: int = 1
    chunk: int = 512
    dtype: str = "float32"
    device: str = "cpu"
    checkpoint_seconds: float = 30.0
    checkpoint_epochs: bool = False

    def __post_init__(self):
        closed = {
            "phase": PHASES,
            "schedule": tuple(SCHEDULES),
            "dtype": ("float32", "float64"),
            "device": ("cpu", "cuda"),
            "autocast": ("", "bfloat16", "float16"),
        }
        for key, allowed in closed.items():
            if getattr(self, key) not in allowed:
                raise UserError(f"job: {key} is {getattr(self, key)!r}; allowed: {', '.join(allowed)}")
        if bool(self.epochs) != bool(self.batch) or (self.epochs and self.steps):
            given = f"steps {self.steps}, epochs {self.epochs}, batch {self.batch}"
            raise UserError(f"job: {given}; allowed: either steps, or epochs and batch")
        if unfit := sorted(set(self.record) & ({"dense_until"} if self.epochs else {"within"})):
            raise UserError(f"job: record has {unfit[0]!r}; allowed: dense_until with steps, within with epochs")
        for key in ("epochs" if self.epochs else "steps", "stack", "chunk"):
            if getattr(self, key) < 1:
                raise UserError(f"job: {key} is {getattr(self, key)}; it must be at least 1")
        if not self.cells or not self.seeds:
            raise UserError(f"job {self.experiment}/{self.optimizer}: there must be at least one cell and one seed")

    @property
    def label(self) -> str:
        """Who speaks in messages."""
        return f"{self.experiment}/{self.optimizer} ({self.phase})"

    def runs(self) -> list[Run]:
        """All models, seed after seed within a cell, cell after cell within a variant."""
        cells = {name: [self.chosen[name]] if name in self.chosen else self.cells for name in self.variants or [""]}
        models = [(name, cell, seed) for name, own in cells.items() for cell, seed in product(own, self.seeds)]
        return [
            Run(index, self._cell(variant, cell), seed, variant)
            for index, (variant, cell, seed) in enumerate(models, self.first_run)
        ]

    def settings_of(self, variant: str) -> dict:
        """Settings with the variant's changes."""
        return overlaid(self.settings, self._changes(variant))

    def hyper_of(self, variant: str) -> dict:
        """Fixed hyperparameters with the variant's changes."""
        return self.hyper | self.variants.get(variant, {}).get("hyper", {})

    def momentum(self, run: Run) -> str:
        """What the table's column shows: the momentum, or the first of swept betas."""
        return run.cell.get("momentum", run.cell.get("betas", str(self.hyper.get("momentum", "0"))).split(",")[0])

    def details(self, run: Run) -> str:
        """What the table's columns have no place for: other hyperparameters, the variant and its changed settings."""
        rest = {key: value for key, value in run.cell.items() if key not in ("lr", "momentum")}
        rest |= self.hyper_of(run.variant)
        if run.variant:
            settings = self.settings_of(run.variant)
            rest |= {"variant": run.variant} | {key: settings[key] for key in self._changes(run.variant)}
        return json.dumps(rest, sort_keys=True)

    def _cell(self, variant: str, cell: dict[str, str]) -> dict[str, str]:
        changes = self.variants.get(variant, {})
        return cell | ({"lr": changes["lr"]} if "lr" in changes else {})

    def _changes(self, variant: str) -> dict:
        return {key: value for key, value in self.variants.get(variant, {}).items() if key not in ("hyper", "lr")}

    def recorded_steps(self) -> list[int]:
        """Steps that are measured: each one to ``dense_until``, then every ``every``, and the last."""
        every, dense = self.record["every"], self.record.get("dense_until", 0)
        steps = {step for step in range(self.steps + 1) if step <= dense or step % every == 0}
        return sorted(steps | {self.steps})

    def length(self, samples: int = 0) -> Length:
        """Steps and records; with epochs they follow from the number of training samples."""
        if not self.epochs:
            return Length(self.steps, 1, self.recorded_steps())
        per_epoch = math.ceil(samples / self.batch)
        parts = self.record.get("within", 1)
        recorded = {epoch * per_epoch for epoch in range(0, self.epochs + 1, self.record["every"])}
        recorded |= {round(part * per_epoch / parts) for part in range(1, parts)} | {self.epochs * per_epoch}
        return Length(self.epochs * per_epoch, per_epoch, sorted(recorded))

    @staticmethod
    def parse(text: str) -> "Job":
        """A job from JSON; unknown or missing keys raise :class:`UserError`."""
        try:
            return Job(**json.loads(text))
        except TypeError as error:
            raise UserError(f"job: {error}") from None
