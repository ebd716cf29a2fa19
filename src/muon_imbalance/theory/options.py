"""Settings that theory tables share; no NumPy, so that planning stays quick."""

import math
from typing import Annotated, Literal

from pydantic import model_validator

from muon_imbalance.common.settings import Field, Settings

Seed = Annotated[int, Field(ge=0)]
Samples = Annotated[int, Field(ge=2, le=1_000_000)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class StepPrior(Settings):
    """STEP imbalance: the first half of the classes (rounded up) is more likely than the others."""

    step: float = Field(ge=1, description="how many times as likely")


class MixtureSettings(Settings):
    """Data model (DM): ``k`` classes in ``d`` dimensions with orthogonal means."""

    k: int = Field(ge=2, le=10_000, description="number of classes")
    d: int = Field(ge=2, le=10_000, description="input dimension, at least k")
    p: Literal["uniform", "zipf"] | StepPrior | list[Probability] = Field(description="class probabilities")
    mu: float = Field(gt=0, description="norm of the class means")
    sigma2: float = Field(gt=0, description="noise variance per coordinate")

    @model_validator(mode="after")
    def _fits(self) -> "MixtureSettings":
        if self.d < self.k:
            raise ValueError(f"d = {self.d}; allowed: a whole number from k = {self.k}, since the means are orthogonal")
        if isinstance(self.p, list) and len(self.p) != self.k:
            raise ValueError(f"p = {self.p}; allowed: a list of k = {self.k} probabilities")
        if isinstance(self.p, list) and abs(math.fsum(self.p) - 1) > 1e-9:
            raise ValueError(f"p sums to {math.fsum(self.p):.12g}; allowed: probabilities that sum to 1")
        return self


Mixtures = Annotated[dict[str, MixtureSettings], Field(min_length=1)]
