"""Theory tables, one module each: ``Options`` and ``table(options, data)``; a module that reads a data set declares
``DataOptions`` as well, its options then. What several tables share is in :mod:`.rows` and in ``theory/options.py``.
"""

from muon_imbalance.common.discovery import Room, declared
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Settings

TABLES = Room("theory table", "theory/tables")
DEFAULT = "curves"
"""Table of a configuration that names none."""


def options(name: str, reads_data: bool = False) -> type[Settings]:
    """The settings class of a table, read from its source text.

    Args:
        reads_data: whether the configuration names a data set for it.

    Raises:
        UserError: there is no such table, or it reads no data set.
    """
    if not reads_data:
        return TABLES.options(name)
    try:
        return declared(TABLES.file(name), "DataOptions")
    except UserError:
        TABLES.file(name)  # an unknown name has a message of its own
        raise UserError(f"theory table {name!r} reads no data set; allowed: no key 'dataset'") from None
