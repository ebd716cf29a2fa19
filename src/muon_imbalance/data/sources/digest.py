"""sha256 of files and of arrays."""

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import UserError


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_sha256(path: Path) -> str:
    """Hex sha256 of a file's content: a ``.gz`` file is decompressed first.

    Raises:
        UserError: the file cannot be read or decompressed.
    """
    try:
        if path.suffix != ".gz":
            return file_sha256(path)
        with gzip.open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read to its end ({error})") from error


def mismatch(path: Path, digest: str, content: bool = False) -> str:
    """What is wrong with a file that should have this digest, a sha256 or one with ``md5:`` before it; empty: nothing.

    ``content``: a ``.gz`` file is decompressed first. An empty digest (none is published) fits every file.
    """
    if not digest:
        return ""
    kind, _, wanted = digest.rpartition(":")
    if kind == "md5":
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    else:
        found = content_sha256(path) if content else file_sha256(path)
    return "" if found == wanted else f"{kind or 'sha256'} is {found}, expected {wanted}"


def arrays_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """Hex sha256 of named arrays: names in sorted order, each with dtype, shape and C-order bytes.

    It depends on the arrays only, not on the container they are stored in.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
