"""How many samples there are of each class or group, for manifests."""

from collections.abc import Sequence

import numpy as np


def counts(numbers: np.ndarray, names: Sequence[str] = ()) -> dict[str, int]:
    """``all`` and each name -> how many of ``numbers [n]`` there are; without names, ``class_0``, ``class_1`` ..."""
    each = np.bincount(numbers, minlength=len(names)).tolist()
    return {"all": sum(each)} | dict(zip(names or [f"class_{c}" for c in range(len(each))], each, strict=True))
