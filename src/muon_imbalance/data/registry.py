"""Data set builders: modules that lie in these folders and declare ``Options``, or a module of the user's own."""

from collections.abc import Mapping
from typing import Any

from muon_imbalance.common.discovery import Room
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.data.builder import Builder
from muon_imbalance.data.store.parents import Roles

BUILDERS = Room("data set builder", "data/digits", "data/photos", "data/text", "data/tables", "data/pretrained")


def module(name: str) -> Builder:
    """A builder by name, by path (``own/two_moons.py``), or by the dotted name of an installed module.

    Raises:
        UserError: there is none, or it is no builder.
    """
    return Builder(BUILDERS.load(name))


def parents(name: str) -> Roles:
    """Role -> builders whose data sets can play it (nothing is imported).

    Raises:
        UserError: ``PARENTS`` is no map of roles to tuples of builders.
    """
    roles = BUILDERS.constant(name, "PARENTS", {})
    if not isinstance(roles, dict) or not all(isinstance(builders, tuple) for builders in roles.values()):
        raise UserError(f"data set builder {name}: PARENTS must be a map of roles to tuples of builders")
    return roles


def source(name: str, config: Mapping[str, Any]) -> str | None:
    """Name of the source that a data set with this config is read from; ``None``: from no source.

    Nothing is imported.

    Raises:
        UserError: a key or value that ``Options`` does not allow.
    """
    options = checked(BUILDERS.options(name), config, f"builder {name}").model_dump()
    return None if options.get("untrained") else options.get("source")
