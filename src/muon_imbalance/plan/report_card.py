"""Report cards, ``make card OPTIMIZER=name``: one optimizer against a few others, and what its card is drawn from."""

import json

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import figures, files
from muon_imbalance.plan.planning import Plan

NOTEBOOK = "notebooks/card_optimizer.ipynb"


def optimizers(plan: Plan, optimizer: str) -> list[str]:
    """The optimizer of a card and those it is compared with.

    Raises:
        UserError: there is none of this name.
    """
    if optimizer not in plan.optimizers:
        raise UserError(f"OPTIMIZER={optimizer!r} is unknown; allowed: {', '.join(sorted(plan.optimizers))}")
    return list(dict.fromkeys([optimizer, *plan.card.against]))


def runs(plan: Plan, optimizer: str) -> dict[str, list[str]]:
    """Run tables by experiment."""
    names = optimizers(plan, optimizer)
    return {x: [table for name in names for table in files.final_tables(plan, x, name)] for x in plan.card.experiments}


def measured(plan: Plan, optimizer: str) -> list[str]:
    """Records of time and memory."""
    names = optimizers(plan, optimizer)
    return [f"{files.results(plan)}/measured/{x}/{name}.json" for x in plan.card.experiments for name in names]


def parameters(plan: Plan, optimizer: str) -> str:
    """Parameters of the card's notebook, as JSON, beside those that the runner sets itself."""
    shown = ("label", "majority", "minority", "split")
    groups = {name: {key: getattr(row, key) for key in shown} for name, row in plan.card.experiments.items()}
    given = {"runs": runs(plan, optimizer), "measured": measured(plan, optimizer)}
    return json.dumps({"optimizer": optimizer, **given, "groups": groups})


def provenance(plan: Plan, optimizer: str) -> str:
    """What a card's json file says of its origin, as JSON."""
    command = f"make card OPTIMIZER={optimizer}" + ("" if plan.scale == "laptop" else f" SCALE={plan.scale}")
    return figures.origin(plan, f"Report card of {optimizer}: learning the tail", command, [*plan.card.experiments])
