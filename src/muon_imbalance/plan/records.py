"""The configuration as typed records: what each key means, its range and its default.

What a task, a model, a data set builder, an update rule or a theory table reads is declared beside its code; here is
what the planner itself reads.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from muon_imbalance.common.schedules import SCHEDULES
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.plan.entries import SCALES

NAME = "[a-z][a-z0-9_]*"
"""What data sets, optimizers, experiments and variants are called."""
FIGURE = r"fig_s?[0-9]+|tab_[0-9]+"
"""Ids of figures and tables."""
GROUP = r"^(all|balanced|worst|majority|minority|frequent|middle|rare|class_[0-9]+)$"
"""Groups that can decide."""
TOKEN = r"[0-9]+(\.[0-9]+)?(e-?[0-9]+)?"
"""A swept number, as text."""
MANY, LONG = 1_000_000, 10_000_000
"""Most samples of a batch, models of a stack ...; most steps of a run."""
Names = Annotated[list[str], Field(max_length=1000)]
Few = Annotated[list[str], Field(min_length=1, max_length=1000)]


class Configuration(Settings):
    """What is run: the settings of a whole run, and everything that has a name."""

    scale: Literal[SCALES] = Field(description="which values are taken; names the results folder")
    scale_note: str = Field(description="what a reader should know of this scale; shown at the top of the report")
    figures_dir: str = Field(min_length=1, description="folder of the finished figures")
    data_dir: str | None = Field(None, min_length=1, description="folder of the user's own official data files")
    results_from: str | None = Field(
        None, min_length=1, description="archive (reference) whose runs are shown and judged; then nothing is trained"
    )
    require_real: bool = Field(description="whether a stand-in for data or weights stops the run")
    device: Literal["cpu", "cuda"] = Field(description="where networks are trained")
    checkpoint_seconds: float = Field(ge=0, le=86_400, description="seconds between two checkpoints of a training job")
    checkpoint_epochs: bool = Field(False, description="whether one is also written after every epoch")
    datasets: dict[str, Any] = Field(description="data sets by name")
    optimizers: dict[str, Any] = Field(min_length=1, description="optimizers by name; each has a rule train_<name>")
    experiments: dict[str, Any] = Field(description="a data set, a model, a loss and a protocol, with its sweeps")
    figures: dict[str, Any] = Field(description="the paper's figures and tables by id")
    card: dict[str, Any] = Field({}, description="report cards of single optimizers")


class Dataset(Settings):
    """A data set: who builds it, and from what."""

    builder: str = Field(description="module of muon_imbalance.data, or a file, that builds it")
    stand_in_for: str | None = Field(None, description="the paper's data or weights that it replaces, as titles say")
    called: str | None = Field(None, description="what titles call a stand-in (its name by default)")
    parent: str | None = Field(None, description="data set that it is made from")
    parents: dict[str, str] = Field({}, description="data sets that it is made from, by the part that each plays")
    config: dict[str, Any] = Field(description="options of the builder")

    @property
    def made_from(self) -> dict[str, str]:
        """Parents by the part that each plays (a single one is called ``parent``)."""
        return self.parents or ({"parent": self.parent} if self.parent else {})


class Optimizer(Settings):
    """An update of muon_imbalance.optimizers, or a torch class; any other key is a default grid."""

    rule: str = Field("", description="name of an update")
    torch_class: str = Field("", description="where a torch.optim.Optimizer is: package.module:Class (key 'class')")
    path: str | None = Field(None, description="folder that the class is imported from")
    only_matrices: bool = Field(False, description="whether the class takes 2-D weights only (vectors take Adam)")
    hyper: dict[str, Any] = Field({}, description="hyperparameters that are not swept")
    experiments: Names | None = Field(None, description="experiments that it joins with its default grid")
    grid: dict[str, Any] = Field({}, description="default grid")


class Curve(Settings):
    """A curve of the runs table."""

    metric: Literal["accuracy", "loss"] = Field(description="metric of the runs table")
    split: Literal["train", "validation"] = Field(description="split that decides")
    group: str = Field(pattern=GROUP, description="group that decides")
    goal: Literal["max", "min"] = Field(description="which direction is better")


class Selection(Curve):
    """How the cell of the final phase is chosen."""

    at: Literal["end", "best"] = Field(description="the last step, or the best one")
    ties: Curve | None = Field(None, description="curve whose last value tells cells of equal score apart")


class StepRecord(Settings):
    """Steps that are measured."""

    every: int = Field(ge=1, le=LONG, description="every so many steps")
    dense_until: int = Field(0, ge=0, le=LONG, description="and each one up to this")


class EpochRecord(Settings):
    """Epochs that are measured."""

    every: int = Field(ge=1, le=LONG, description="every so many epochs")
    within: int = Field(1, ge=1, le=100_000, description="so many times inside the first epoch")


class Variant(Settings):
    """Changes that one variant makes: to the protocol here, to the task's settings by their own names."""

    hyper: dict[str, Any] = Field({}, description="fixed hyperparameters that differ")
    lr: str | None = Field(None, description="learning rate in place of the sweep's")


class Table(Settings):
    """A table of closed forms."""

    table: str = Field(description="module of muon_imbalance.theory.tables that makes it")
    config: dict[str, Any] = Field(description="options of that table")
    dataset: str | None = Field(None, description="data set that it reads")
    sampled: bool = Field(False, description="whether it draws samples (claims then say generated, not population)")


class Experiment(Settings):
    """An experiment without training: a table of closed forms."""

    task: str = Field(description="what is minimised (theory: nothing, only closed forms are evaluated)")
    budget_core_s: float = Field(gt=0, le=1e12, description="seconds of one core that it may cost at this scale")
    theory: dict[str, Any] = Field({}, description="closed forms that are evaluated")


def _ascending(values: list[int]) -> list[int]:
    if values != sorted(set(values)):
        raise ValueError(f"{values} are not ascending")
    return values


class Training(Experiment):
    """An experiment in which models are trained."""

    dataset: str | None = Field(None, description="data set")
    seeds: int = Field(ge=1, le=10_000, description="repetitions of the final phase")
    looks: Annotated[list[Annotated[int, Field(ge=2)]], AfterValidator(_ascending)] = Field(
        [],
        max_length=5,
        description="numbers of repetitions at which claims are judged as more are added, ascending, planned before "
        "the first of them was run; []: once, at what there is",
    )
    grid_seeds: int = Field(1, ge=1, le=10_000, description="repetitions of each cell of a grid")
    sweep: dict[str, Any] = Field({}, description="grid of each optimizer: every combination of values is a cell")
    hyper: dict[str, dict[str, Any]] = Field({}, description="fixed hyperparameters by optimizer")
    selection: Selection | None = Field(None, description="how the cell of the final phase is chosen")
    frozen_from: str | None = Field(None, description="experiment whose selected hyperparameters are taken over")
    optimizers: Few | None = Field(None, description="optimizers that take part (with frozen_from)")
    variants: dict[str, Any] = Field({}, description="changes by name; every optimizer is trained with each")
    joins: bool = Field(True, description="whether optimizers with a default grid take part")
    shards: Literal["one", "each"] = Field("one", description="one job, or each cell and seed in a job of its own")
    schedule: Literal[tuple(SCHEDULES)] = Field("constant", description="learning rate over the steps, after warmup")
    warmup: int = Field(0, ge=0, le=LONG, description="steps in which the learning rate rises to its full value")
    dtype: Literal["float32", "float64"] = Field(description="floating-point type")


class Stepwise(Training):
    """All samples in every step; many models in one stack."""

    steps: int = Field(ge=1, le=LONG, description="number of updates")
    record: StepRecord = Field(description="steps that are measured")
    stack: int = Field(1, ge=1, le=MANY, description="models trained at once (speed only)")


class Chunked(Stepwise):
    """The same in portions of the samples."""

    chunk: int = Field(512, ge=1, le=MANY, description="samples per pass (speed only)")


class Minibatch(Training):
    """Minibatches; one model at a time."""

    epochs: int = Field(ge=1, le=100_000, description="passes over the training samples")
    batch: int = Field(ge=1, le=MANY, description="samples of a minibatch")
    record: EpochRecord = Field(description="epochs that are measured")
    chunk: int = Field(512, ge=1, le=MANY, description="samples per pass of an evaluation (speed only)")
    clip: float = Field(0.0, ge=0, le=1e9, description="largest norm of the gradient of all parameters (0: any)")
    autocast: Literal["", "bfloat16", "float16"] = Field("", description="lower precision of forward passes, for GPUs")
    compile: bool = Field(False, description="whether torch.compile is used, for GPUs")


class Figure(Settings):
    """A figure or table of the paper, and what it is drawn from."""

    slug: str = Field(pattern="^[a-z0-9_]+$", description="second half of its file names")
    title: str = Field(min_length=1, description="title in the report")
    experiments: Names = Field(description="experiments whose runs it shows")
    theory: Names = Field([], description="experiments whose closed forms it shows")
    datasets: Few | None = Field(None, description="data sets that it shows examples of")
    pictures: bool = Field(False, description="whether it shows samples of its data sets, which are built for it")
    settings: bool = Field(False, description="whether its notebook needs the settings of its experiments")
    topic: Literal["theory"] | None = Field(None, description="target that makes this figure besides its own")
    parameters: dict[str, Any] = Field({}, description="further parameters of its notebook")


class CardExperiment(Settings):
    """A row of a report card."""

    label: str = Field(min_length=1, description="title of its row")
    split: Literal["validation", "test"] = Field("test", description="where accuracy is measured")
    majority: Few = Field(description="groups whose mean accuracy counts as the majority's")
    minority: Few = Field(description="groups whose mean accuracy counts as the minority's")
    sweep: dict[str, Any] = Field({}, description="grids of optimizers that the experiment itself does not train")


class Card(Settings):
    """Report cards of single optimizers, ``make card OPTIMIZER=name``."""

    against: Names = Field([], description="optimizers that it is compared with")
    experiments: dict[str, Any] = Field({}, description="experiments that it is drawn from, and their groups")
