"""manifest.json: what a data set's folder holds, where it came from, and hashes to prove it."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json
from muon_imbalance.data.sources.digest import arrays_sha256
from muon_imbalance.data.store import array_files

KINDS = ("real", "real-other", "composed", "generated")
KEYS = tuple("name kind label source sha256 counts shape mean std licence citation builder config".split())


def write(
    directory: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], described: Mapping[str, Any]
) -> None:
    """Publish ``arrays`` in ``directory`` with the manifest that belongs to them.

    Args:
        facts: ``name`` (left out: the builder's), ``kind, label, source, licence, citation, builder, config``.
        described: ``counts, shape, mean, std``: what the builder's ``describe(arrays)`` returns. ``sha256`` of the
            arrays (:func:`muon_imbalance.data.sources.digest.arrays_sha256`) is added.

    Raises:
        ValueError: a key is missing or unknown, or ``kind`` is not one of :data:`KINDS`.
    """
    content = {"name": facts.get("builder"), **facts, **described, "sha256": arrays_sha256(arrays)}
    if set(content) != set(KEYS) or content["kind"] not in KINDS:
        raise ValueError(f"manifest with keys {sorted(content)} and kind {content['kind']!r}; wanted {sorted(KEYS)}")
    text = json.dumps({key: content[key] for key in KEYS}, indent=2, allow_nan=False) + "\n"
    array_files.publish(directory, arrays, text)


def read(directory: Path) -> dict[str, Any]:
    """The manifest of a data set's folder.

    Raises:
        UserError: there is none, or it is not a whole manifest.
    """
    path = Path(directory) / array_files.MANIFEST
    content = read_json(path, hint="build the data set again")
    if missing := sorted(set(KEYS) - set(content)):
        raise UserError(f"{path} lacks {', '.join(missing)}; build the data set again")
    return content


def verify(directory: Path, describe: Callable[[Mapping[str, np.ndarray]], Mapping[str, Any]]) -> dict[str, Any]:
    """Compute hash, counts, shape, mean and std from the arrays again and return the manifest.

    Args:
        describe: that of the builder.

    Raises:
        UserError: an entry does not follow from the arrays; the message gives both values.
    """
    content, arrays = read(directory), array_files.read_arrays(directory)
    for key, value in {**describe(arrays), "sha256": arrays_sha256(arrays)}.items():
        if not _same(value, content[key]):
            raise UserError(
                f"{Path(directory) / array_files.MANIFEST}: {key} is {content[key]!r}, "
                f"but the arrays give {value!r}; build the data set again"
            )
    return content


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return a == b
