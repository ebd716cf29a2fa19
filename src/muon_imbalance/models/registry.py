"""Models and their options: modules of the folders ``stacked`` and ``modules``, read without importing torch.

A model module declares ``class Options(Settings)`` and ``build(options, shape, classes)``, which makes a network for
samples of that shape: in ``stacked/`` a stack of models with written-out gradients (``shape`` is ``(features,)``, the
length of a flattened sample), in ``modules/`` one torch module. ``ONLY_MATRICES = True`` says that no parameter is a
vector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muon_imbalance.common.discovery import Room
from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Settings, checked

MODELS = Room("model", "models/stacked", "models/modules")
KINDS = {kind: Room("model", f"models/{kind}") for kind in ("stacked", "modules")}


@dataclass(frozen=True)
class Model:
    """A model module by name (or path), and its checked options."""

    name: str
    options: Settings

    def build(self, shape: tuple[int, ...], classes: int):
        """A network for samples of ``shape`` and that many classes."""
        return MODELS.load(self.name).build(self.options, shape, classes)


def chosen(given: Mapping[str, Any], where: str, kind: str) -> Model:
    """A model ``{name, ...}`` of a kind, a key of :data:`KINDS`; a user's own file can be of either.

    Raises:
        UserError: there is none of this name and kind, or a key is missing, unknown or out of range.
    """
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise UserError(f"{where} = {given!r}; allowed: a map with a name, one of {', '.join(KINDS[kind].names())}")
    try:
        options = KINDS[kind].options(given["name"])
    except UserError as error:
        raise UserError(f"{where}.name: {error}") from None
    return Model(given["name"], checked(options, {key: given[key] for key in given if key != "name"}, where))


def has_vectors(name: str) -> bool:
    """Whether a model has parameters that are no matrices."""
    return not MODELS.constant(name, "ONLY_MATRICES", False)
