"""What the module of a data set builder declares and offers: one module, one kind of data set.

Declared, and read from the source text (nothing is imported):

* ``class Options(Settings)``: the keys of a data set's ``config``. A field ``source`` is a ``Literal`` of the names in
  :mod:`muon_imbalance.data.sources` that the builder can read; its files are then the input. A builder that can do
  without a download has a field ``untrained`` as well.
* ``PARENTS``: role -> builders whose data sets can play it, ``None`` among them where it may stay empty. Roles are the
  keys of a data set's ``parents``; a builder of one parent has the role ``parent`` and a field ``parent``, the parent's
  name. Left out: no parents.

Offered: the methods of :class:`Builder`, as functions of the module.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from muon_imbalance.common.errors import UserError

REQUIRED = ("build", "load", "describe")


class Builder:
    """The functions of a builder's module, and defaults for those that it may leave out.

    Raises:
        UserError: the module lacks one of :data:`REQUIRED`.
    """

    GROUPS: tuple[str, ...] = ()
    """Names of the groups that ``load`` numbers as ``group``; empty: the groups are the classes."""

    def __init__(self, module: ModuleType):
        self.__dict__.update(vars(module))
        if missing := [name for name in REQUIRED if name not in vars(module)]:
            raise UserError(f"data set builder {module.__name__} has no function {', '.join(missing)}")

    def build(self, config: dict[str, Any], inputs: Mapping[str, Path], out: Path) -> None:
        """Write arrays and manifest into the folder ``out``, whole or not at all, by :func:`store.manifest.write`.

        Args:
            config: checked against ``Options`` here, whoever calls.
            inputs: files of the source by their roles; or folders of the parents by theirs (of one parent: by its
                name).

        Raises:
            UserError: bad config, inputs that do not fit, or more samples wanted than they hold.
        """
        raise NotImplementedError

    def load(self, path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
        """Arrays of a split, the leading axis one repetition each (or of length 1: the same in all).

        What a task reads: ``label [R, n]`` with ``inputs [R, n, d]`` (stacked models), with ``images [R, n, H, W, C]``,
        ``mean`` and ``std`` ``[R, C]`` (networks), or with ``features`` and ``groups`` (fine-tuning); ``windows``
        (language models). ``group [R, n]``: numbers of groups that are no classes.

        Raises:
            UserError: unknown split or repetition, or an unfinished or damaged folder.
        """
        raise NotImplementedError

    def describe(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What follows from the arrays: ``counts`` per split and class or group (of one repetition; ``all`` first),
        ``shape`` of a sample, ``mean`` and ``std`` of training inputs (``None`` where there are none)."""
        raise NotImplementedError

    def classes(self, config: Mapping[str, Any]) -> int:
        """Number of classes: two."""
        return 2

    def class_sets(self, config: Mapping[str, Any]) -> dict[str, list[int]]:
        """Named sets of classes, such as majority and minority: none."""
        return {}

    def weights(self, path: Path) -> dict[str, np.ndarray]:
        """Pretrained weights that a network starts from, by the names of its module: none."""
        return {}
