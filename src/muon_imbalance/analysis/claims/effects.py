"""Units of what is measured, how they are shown, and the smallest effect of interest of each.

The smallest effects were fixed before the first run that was judged by them. An interval that lies within one of them
around "no difference" says that the effect is absent, which is more than that it was not found.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """A kind of quantity.

    Attributes:
        shown: its name in records and in the report.
        factor: what a value is multiplied by when it is shown.
        smallest: the smallest difference of interest (of a ratio: from 1), None where there is none.
        reason: why it is that.
    """

    shown: str = ""
    factor: float = 1.0
    smallest: float | None = None
    reason: str = ""


UNITS = {
    "accuracy": Unit(
        "points",
        100.0,
        0.01,
        "One point: less than two seeds of one optimizer differ by; nobody would choose an optimizer for it.",
    ),
    "nats": Unit("nats", 1.0, 0.02, "0.02 nats: the mean probability of the right answer changes by 2 %."),
    "training": Unit("% of training", 100.0, 0.02, "2 % of training: less than the distance of two records."),
    "steps": Unit("steps"),
    "ratio": Unit("times", 1.0, 0.05, "One twentieth more or less."),
    "": Unit(),
}
"""Kind of quantity, as statistics name it -> unit. Steps have no smallest effect: it would depend on the horizon."""
