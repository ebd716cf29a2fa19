"""What declared settings refuse, and in which words."""

from typing import Annotated, Literal

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings, checked


class Options(Settings):
    side: Literal[14, 28] = 28
    either: Literal[1] | float = 1
    even: int = Field(2, ge=2, multiple_of=2)
    colour: list[Annotated[float, Field(ge=0, le=1)]] = Field([0.0, 0.0, 0.0], min_length=3, max_length=3)
    names: list[str] = Field(["a"], min_length=1)


class Nothing(Settings):
    pass


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"side": 14.0}, "set.side = 14.0; allowed: 14, 28"),
        ({"side": 15}, "set.side = 15; allowed: 14, 28"),
        ({"even": 3}, "set.even = 3; allowed: a whole number from 2, a multiple of 2"),
        ({"even": 2.0}, "set.even = 2.0; allowed: a whole number from 2"),
        ({"colour": [0.0]}, r"set.colour = \[0.0\]; allowed: a list of numbers from 0 to 1 with 3 entries"),
        ({"colour": [0, 0, float("nan")]}, "set.colour.2 = nan; allowed: "),
        ({"names": []}, r"set.names = \[\]; allowed: .* with at least 1 entry"),
        ({"size": 1}, "set: unknown key 'size'; allowed: colour, either"),
    ],
)
def test_refusals(given, message):
    with pytest.raises(UserError, match=message):
        checked(Options, given, "set")


def test_what_is_allowed():
    assert checked(Options, {"side": 14, "either": 0.5, "even": 4}, "set").either == 0.5
    with pytest.raises(UserError, match="set: unknown key 'a'; allowed: no key"):
        checked(Nothing, {"a": 1}, "set")
