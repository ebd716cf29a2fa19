"""Options that several tasks share, and what the planner must know of a task; without torch.

A task's module imports these for its own ``Options``, which is read without importing that module.
"""

from typing import Annotated, Literal

from pydantic import model_validator

from muon_imbalance.common.settings import Field, Settings

Count = Annotated[int, Field(ge=1, le=100_000)]
Ball = Literal["ball_frobenius", "ball_ky_fan", "ball_max", "ball_spectral"]
Evaluated = list[Literal["validation", "test"]]


class Needs(Settings):
    """What the planner must know of a task without running it; a task's module says ``NEEDS = Needs(...)``."""

    minibatch: bool = Field(
        False, description="true: it counts epochs of minibatches, one model at a time; false: steps of a stack"
    )
    dataset: bool = Field(False, description="whether it reads a data set")
    builders: list[str] = Field([], description="builders of this package whose data sets it can read; []: any")
    models: Literal["", "stacked", "modules"] = Field(
        "", description="folder of models/ whose modules its model names; empty: its own options describe the model"
    )
    classes: bool = Field(
        True, description="whether a torch class can join; false where given rules are compared with closed forms"
    )


class Mixture(Settings):
    """The Gaussian mixture (DM) whose moments are used."""

    k: int = Field(ge=2, le=10_000, description="number of classes")
    d: int = Field(ge=2, le=10_000, description="input dimension")
    p: list[Annotated[float, Field(gt=0)]] = Field(description="class probabilities")
    mu: float = Field(gt=0, description="length of a class mean")
    sigma2: float = Field(gt=0, description="noise variance per coordinate")

    @model_validator(mode="after")
    def _one_probability_a_class(self):
        if len(self.p) != self.k or abs(sum(self.p) - 1) > 1e-9:
            raise ValueError(f"p = {self.p}; allowed: k = {self.k} numbers that sum to 1")
        if self.d < self.k:
            raise ValueError(f"d = {self.d}; allowed: at least k = {self.k}")
        return self


class Start(Settings):
    """The linear model ``W`` and where it starts."""

    name: Literal["linear"] = Field("linear", description="the one model of these tasks")
    init_std: float = Field(0.0, ge=0, description="standard deviation of the initial entries")


class Augment(Settings):
    """Random changes of training images."""

    crop: int = Field(0, ge=0, le=1000, description="pixels by which an image is moved at most")
    flip: bool = Field(False, description="whether half of the images are mirrored")


class Clocked(Settings):
    """What is evaluated of the training split at a record."""

    clock_samples: int = Field(
        200,
        ge=0,
        le=10_000_000,
        description="samples of each group, at most, that training loss and accuracies are measured on; 0: all",
    )


class OnImages(Clocked):
    """What is measured on a network, and how its training images change."""

    metrics: list[Literal["group_loss", "logit_kl"]] = Field([], description="measured beside accuracies")
    evaluate: Evaluated = Field(description="splits that are evaluated")
    augment: Augment = Field(Augment(), description="random changes of training images")
    logit_share: float = Field(
        1.0, gt=0, le=1, description="part of the training samples, of each class, that logit_kl is measured on"
    )
