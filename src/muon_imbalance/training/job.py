"""A training job: one optimizer's sweep on one experiment, checked before anything is computed."""

import json
from dataclasses import dataclass, field

from muon_imbalance.errors import UserError

PHASES = ("grid", "final")


@dataclass(frozen=True)
class Run:
    """One model to train: its hyperparameters as text tokens, and its repetition."""

    index: int
    cell: dict[str, str]
    seed: int


@dataclass(frozen=True)
class Job:
    """What ``python -m muon_imbalance.train --job`` is given.

    Attributes:
        experiment, optimizer, phase: names that go into the table.
        task: ``classification`` or ``population``.
        rule: name in the optimizer registry; ``hyper`` its fixed options.
        cells: hyperparameter cells (text tokens); ``seeds``: repetitions, shared by all optimizers.
        steps: number of updates; ``record``: ``{every, dense_until}``, which steps are measured.
        stack: models trained at once; ``chunk``: samples per pass; both change speed only.
        settings: what the task needs (dataset, model, metrics ...).
    """

    experiment: str
    optimizer: str
    phase: str
    task: str
    rule: str
    cells: list[dict[str, str]]
    seeds: list[int]
    steps: int
    record: dict[str, int]
    hyper: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)
    stack: int = 1
    chunk: int = 512
    dtype: str = "float32"
    device: str = "cpu"
    checkpoint_seconds: float = 30.0

    def __post_init__(self):
        for key, allowed in {"phase": PHASES, "dtype": ("float32", "float64"), "device": ("cpu", "cuda")}.items():
            if getattr(self, key) not in allowed:
                raise UserError(f"job: {key} is {getattr(self, key)!r}; allowed: {', '.join(allowed)}")
        for key in ("steps", "stack", "chunk"):
            if getattr(self, key) < 1:
                raise UserError(f"job: {key} is {getattr(self, key)}; it must be at least 1")
        if not self.cells or not self.seeds:
            raise UserError(f"job {self.experiment}/{self.optimizer}: there must be at least one cell and one seed")

    @property
    def label(self) -> str:
        """Who speaks in messages."""
        return f"{self.experiment}/{self.optimizer} ({self.phase})"

    def runs(self) -> list[Run]:
        """All models, seed after seed within a cell."""
        pairs = [(cell, seed) for cell in self.cells for seed in self.seeds]
        return [Run(index, cell, seed) for index, (cell, seed) in enumerate(pairs)]

    def recorded_steps(self) -> list[int]:
        """Steps that are measured: each one to ``dense_until``, then every ``every``, and the last."""
        every, dense = self.record["every"], self.record.get("dense_until", 0)
        steps = {step for step in range(self.steps + 1) if step <= dense or step % every == 0}
        return sorted(steps | {self.steps})

    @staticmethod
    def parse(text: str) -> "Job":
        """A job from JSON; unknown or missing keys raise :class:`UserError`."""
        try:
            return Job(**json.loads(text))
        except TypeError as error:
            raise UserError(f"job: {error}") from None
