"""Tables of the companion figures, one module each: ``table(options, data)`` gives a theory table."""

import importlib
from types import ModuleType

from muon_imbalance.common.errors import UserError

TABLES = ("controls", "joint_diagonalisation", "theorem_bounds")


def load(name: str) -> ModuleType:
    """Module of a table.

    Raises:
        UserError: unknown name.
    """
    if name not in TABLES:
        raise UserError(f"table is {name!r}; allowed: {', '.join(TABLES)}")
    return importlib.import_module(f"{__name__}.{name}")
