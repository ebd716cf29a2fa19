"""What a claim is: a statement of a paper (or of our audit), how it is measured, and what the measurement must give."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, InstanceOf, PrivateAttr, StringConstraints, WithJsonSchema, model_validator

from muon_imbalance.analysis.claims.audit import Distinct, Figure
from muon_imbalance.analysis.claims.comparators import COMPARATORS, Comparator
from muon_imbalance.analysis.statistics import protocol
from muon_imbalance.analysis.statistics.curves import RecordedOption
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^([CALTP][0-9]+\.[0-9]+|A\.[a-z][a-z0-9]*)(\.[a-z0-9_]+)?$")]
Text = Annotated[str, BeforeValidator(lambda value: " ".join(value.split()) if isinstance(value, str) else value)]
Scale = Literal["smoke", "laptop", "reference", "paper"]
Kind = Literal["paper", "control", "audit"]


_RUNS = r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)?"  # an optimizer, or <optimizer>.<variant> where the experiment has variants
_LIST = rf"{_RUNS}(?:, {_RUNS})*"
_NEEDED = rf"(?:({_LIST}) )?(?:(minus|over) ({_LIST}) )?({'|'.join(COMPARATORS)}) (\S+)"


class Needed(NamedTuple):
    """What a comparison must give: of each of ``optimizers``, alone or against each of ``others``."""

    optimizers: tuple[str, ...]
    relation: str
    others: tuple[str, ...]
    comparator: Comparator
    threshold: float


def _needed(value: object) -> Needed:
    """``muon minus nmd, signum > 0`` as a record."""
    if isinstance(value, Needed):
        return value
    match = re.fullmatch(_NEEDED, value) if isinstance(value, str) else None
    try:
        threshold = float(match[5]) if match else math.nan
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        form = "OPTIMIZERS [minus | over OPTIMIZERS] COMPARATOR NUMBER"
        raise ValueError(f"{value!r}; allowed: {form}, such as 'muon minus nmd, signum > 0'; {', '.join(COMPARATORS)}")
    names, others = (tuple((match[part] or "").split(", ")) if match[part] else () for part in (1, 3))
    for each in (names, others):
        if repeated := sorted({name for name in each if each.count(name) > 1}):
            raise ValueError(f"{value!r} names {', '.join(repeated)} more than once")
    if shared := sorted(set(names) & set(others)):
        raise ValueError(f"{value!r}: {', '.join(shared)} would be compared with itself")
    return Needed(names, match[2] or "", others, COMPARATORS[match[4]], threshold)


class Check(Settings):
    """A statistic of each of some optimizers, or its difference to (ratio over) each of others, against a threshold."""

    label: str = Field(min_length=3, description="What is measured, in words; appears in the report.")
    measure: dict[str, Any] = Field(description="The statistic and its options (analysis/statistics/ has them all).")
    needed: Annotated[
        InstanceOf[Needed], BeforeValidator(_needed), WithJsonSchema({"type": "string", "pattern": f"^{_NEEDED}$"})
    ] = Field(
        description="Whose value counts, what is subtracted or divides it (paired by seed), comparator and threshold, "
        "such as 'muon minus nmd, signum > 0'. Several names make one comparison each; a list: several comparisons."
    )
    _statistic: protocol.Statistic = PrivateAttr()
    _options: dict[str, Any] = PrivateAttr()

    @model_validator(mode="after")
    def _measures(self) -> "Check":
        given = dict(self.measure)
        try:
            if "statistic" not in given:
                raise UserError("measure: key 'statistic' is missing")
            self._statistic = protocol.named(str(given.pop("statistic")))
            self._options = self.statistic.options(given, f"statistic {self.statistic.name}")
        except UserError as error:
            raise ValueError(str(error)) from None
        optimizers, relation, others = self.needed[:3]
        takes = {
            "run": (bool(optimizers), "optimizers, alone or minus or over others"),
            "pair": (bool(optimizers) and relation == "minus", "optimizers minus others"),
            "experiment": (not optimizers and not others, "no optimizers"),
        }
        fits, form = takes[self.statistic.takes]
        if not fits:
            raise ValueError(f"needed: statistic {self.statistic.name} takes {form}")
        return self

    @property
    def statistic(self) -> protocol.Statistic:
        """How it is measured."""
        return self._statistic

    @property
    def options(self) -> dict[str, Any]:
        """Options of the statistic."""
        return self._options

    def names(self) -> tuple[str, ...]:
        """All optimizers that it compares."""
        return (*self.needed.optimizers, *self.needed.others)

    def comparisons(self) -> list[tuple[str, ...]]:
        """The optimizers of each comparison: none, one, or one and the other it is compared with."""
        optimizers, _, others = self.needed[:3]
        if not optimizers:
            return [()]
        return [(name, *other) for name in optimizers for other in ([(one,) for one in others] or [()])]


class Stop(Settings):
    """Training ends, for all optimizers of a seed, at the first record where this optimizer's curve is below a value;
    later rows are not looked at. If that never happens, at the last record."""

    optimizer: Name = Field(description="Whose curve it is.")
    curve: RecordedOption = Field(description="The curve.")
    below: float = Field(description="The curve's value that ends training.")


class Claim(Settings):
    """One statement. It holds if all its checks hold; the worst check decides and is the one reported."""

    id: Identifier = Field(
        description="C<figure>.<number> a statement of the paper; T<theorem>.<number> and P<proposition>.<number> its "
        "theorems and propositions; A<figure>.<number> and A.<topic> our audit (control or correction); "
        "L<figure>.<number> the second paper. A suffix after a further dot tells versions of one statement apart."
    )
    experiment: Name = Field(description="The experiment whose runs it is judged on.")
    figure: Figure = Field(description="The figure or table that shows it.")
    statement: Text = Field(min_length=10, description="The statement in our words, in checkable form.")
    paper_ref: str = Field(min_length=2, description="Where it is made: figure, section, proposition.")
    kind: Kind = Field(
        "paper",
        description="paper: a statement of one of the papers (ids with C, L, T, P); control: ours, whether something "
        "else explains a statement; audit: ours, a finding about the papers (confirmed, refuted or open).",
    )
    headline: bool = Field(False, description="Whether the report's first screen shows it.")
    scales: Annotated[list[Scale], Distinct] = Field(
        min_length=1, description="Where it may be judged; at any other scale: not-run."
    )
    min_seeds: int = Field(ge=1, description="Fewer usable repetitions make the verdict inconclusive.")
    evidence: Literal["interval", "every_seed"] = Field(
        "interval",
        description="interval: that of the mean over seeds must clear the threshold (paired Student t). every_seed: "
        "for computations without sampling noise; every repetition must satisfy it, and the range over repetitions "
        "stands in place of the interval.",
    )
    treatment: Name = Field(
        "muon", description="The optimizer that variants replace, in each variant of the experiment."
    )
    variants: Annotated[list[Name], Distinct] = Field(
        [], description="Judged again, as <id>@<variant>, in place of the treatment."
    )
    contrast: dict[Name, float] = Field(
        {},
        description="Weights of experiments (the claim's own among them): judged is the weighted sum of their "
        "differences, seed by seed, for statements about a trend over them.",
    )
    stop: Stop | None = Field(None, description="Where training ends for this claim.")
    checks: list[Check] = Field(min_length=1, description="Comparisons, all of which must hold.")
    tolerance_reason: Text = Field(
        min_length=10, description="Why levels, tolerances and thresholds are what they are."
    )
    set_by: Literal["paper", "project"] = Field(
        "paper", description="Whose levels, tolerances and thresholds they are."
    )
    set_when: Literal["before", "after"] = Field(
        "before", description="Whether they were set before a result of theirs was seen, or after."
    )
    family: str = Field("", exclude=True, description="Stem of the file that it stands in; not given there.")

    @model_validator(mode="after")
    def _fits(self) -> "Claim":
        if self.evidence != "every_seed" and any(check.statistic.takes == "experiment" for check in self.checks):
            raise ValueError("a statistic of the experiment has no interval; set evidence: every_seed")
        if self.contrast and self.experiment not in self.contrast:
            raise ValueError(
                f"contrast: the experiment {self.experiment} itself is not among {', '.join(self.contrast)}"
            )
        if self.contrast and any(check.statistic.takes == "experiment" for check in self.checks):
            raise ValueError("contrast: a statistic of the experiment has no seeds to be paired by")
        if (self.kind == "paper") == self.id.startswith("A"):
            raise ValueError(f"kind = {self.kind!r}; allowed: paper for ids with C, L, T, P; control, audit for A")
        named = {_base(name) for check in self.checks for name in (*check.needed.optimizers, *check.needed.others)}
        if self.variants and self.treatment not in named:
            raise ValueError(f"variants replace the treatment {self.treatment!r}, which no check names")
        return self

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments whose runs it is judged on."""
        return tuple(self.contrast) or (self.experiment,)

    @property
    def variant(self) -> str:
        """What stands in place of the treatment, "" in the statement itself."""
        return self.id.partition("@")[2]

    def with_variant(self, variant: str, remark: str = "") -> "Claim":
        """The same claim with another optimizer in place of the treatment (in every variant of the experiment)."""
        treatment = self.treatment

        def swap(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(variant + name[len(treatment) :] if _base(name) == treatment else name for name in names)

        def swapped(check: Check) -> Check:
            needed = check.needed
            needed = needed._replace(optimizers=swap(needed.optimizers), others=swap(needed.others))
            return check.model_copy(update={"needed": needed})

        checks = [swapped(check) for check in self.checks]
        remark = remark or f"(Judged with {variant} in place of {treatment}.)"
        changes = {"id": f"{self.id}@{variant}", "statement": f"{self.statement} {remark}", "checks": checks}
        changes |= {"headline": False}
        return self.model_copy(update=changes)

    def compares(self) -> bool:
        """True if every check that names the treatment sets it against other optimizers."""
        sides = [check.needed[:3] for check in self.checks]
        naming = [others for names, _, others in sides if self.treatment in map(_base, (*names, *others))]
        return bool(naming) and all(naming)

    def expanded(self, own: Sequence[str] = ()) -> Iterator["Claim"]:
        """The claim, its variants, and the same comparison for optimizers of the user's."""
        yield self
        yield from map(self.with_variant, self.variants)
        for name in own if self.compares() and self.evidence == "interval" else ():
            remark = f"(Not of the paper: the same comparison with {name} in place of {self.treatment}.)"
            yield self.with_variant(name, remark)


def _base(name: str) -> str:
    """Optimizer of ``<optimizer>.<variant>``."""
    return name.partition(".")[0]
