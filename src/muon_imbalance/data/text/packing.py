"""Lists of texts as arrays: the UTF-8 bytes of all of them, and where each ends."""

from collections.abc import Mapping, Sequence

import numpy as np


def packed(texts: Sequence[str], name: str) -> dict[str, np.ndarray]:
    """``{name}_bytes [total]`` uint8 and ``{name}_ends [n]`` int64."""
    coded = [text.encode() for text in texts]
    ends = np.cumsum([len(code) for code in coded], dtype=np.int64)
    return {f"{name}_bytes": np.frombuffer(b"".join(coded), np.uint8), f"{name}_ends": ends}


def unpacked(arrays: Mapping[str, np.ndarray], name: str) -> list[str]:
    """The texts again."""
    data, ends = arrays[f"{name}_bytes"].tobytes(), arrays[f"{name}_ends"].tolist()
    return [data[start:end].decode() for start, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []
