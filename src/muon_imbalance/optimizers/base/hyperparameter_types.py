"""Hyperparameters of the update rules: type, range and meaning, each declared once. No torch is imported here.

A rule names them as annotations, ``def ngd(*, lr: Rate = 0.01, weight_decay: Decay = 0.0)``. The registry makes
settings of them; :func:`~muon_imbalance.optimizers.base.hyperparameters.rule` checks what a rule is built with, where a
number may also be a tensor ``[S]``, one for each model, and a rate 0, to which a schedule can bring it.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from muon_imbalance.common.settings import Field


def _regular_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error:
        raise ValueError(f"{text!r}; allowed: a regular expression that parameter names are searched for") from None
    return text


def _pair(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Number = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
SumShare = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Pair = BeforeValidator(_pair)

Rate = Annotated[float, Field(gt=0, description="learning rate")]
Decay = Annotated[Number, Field(description="weight decay")]
Momentum = Annotated[Share, Field(description="share of the momentum that a step keeps")]
Nesterov = Annotated[bool, Field(description="whether a step looks ahead along the momentum, as Nesterov's does")]
Scope = Annotated[Literal["layer", "global"], Field(description="one norm for each weight tensor, or for all together")]

Betas = Annotated[tuple[Share, Share], Pair, Field(description="shares of the two moving averages that a step keeps")]
SumBetas = Annotated[tuple[Share, SumShare], Pair, Field(description="the same; a second share of 1 makes it a sum")]
Beta2 = Annotated[Share, Field(description="share of the average of squares that a step keeps")]
Eps = Annotated[Number, Field(description="added to a root or an eigenvalue before it divides")]
Decoupled = Annotated[bool, Field(description="whether weight decay shrinks the weights, as in AdamW")]

Scale = Annotated[
    Literal["original", "kernel", "none"], Field(description="length of a matrix's step: sqrt(max(1, rows/cols)), or 1")
]
Polar = Annotated[
    Literal["newton_schulz", "polar_express", "exact"], Field(description="how the polar factor is computed")
]
Iterations = Annotated[int, Field(ge=1, le=99, description="iterations of the polar factor, where it iterates")]
NamesForAdam = Annotated[
    str, AfterValidator(_regular_expression), Field(description="matrices of these names take Adam; empty: none")
]
NamesForMuon = Annotated[
    str, AfterValidator(_regular_expression), Field(description="matrices of these names take Muon; empty: none")
]
Power = Annotated[float, Field(ge=0, le=1, description="power of the singular values: 0 all equal, 1 as they are")]
SpectrumSeed = Annotated[int, Field(ge=0, le=10**9, description="seed of the draws of singular values")]
AdamRate = Annotated[Rate | None, Field(description="learning rate of Adam; null: that of the matrices")]

Ball = Annotated[
    Literal["l1", "frobenius", "nuclear", "ky_fan"], Field(description="K, the dual norm of the ball of the steps")
]
Rank = Annotated[Count, Field(description="singular values that Ky Fan's norm adds up")]

Frequency = Annotated[Count, Field(description="steps from one computation of the matrix powers to the next")]
Start = Annotated[Count, Field(description="step of the first computation of the matrix powers")]
LargestSide = Annotated[Count, Field(description="rows and columns of the largest block of a matrix")]
Corrected = Annotated[bool, Field(description="whether averages are divided by 1 - beta^t")]
Grafting = Annotated[Literal["none", "sgd", "adam"], Field(description="whose step's size is taken")]
