"""IDX, the file format of MNIST: two zero bytes, type code, number of axes, big-endian lengths, data."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from muon_imbalance.common.errors import UserError

_UBYTE = 0x08


def read(path: Path) -> np.ndarray:
    """Array of unsigned bytes from an IDX file, plain or compressed with gzip (whatever its name).

    Raises:
        UserError: the file cannot be read, is no IDX file of unsigned bytes, or is cut short or too long.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error})") from error
    if len(data) < 4 or data[0] or data[1] or data[2] != _UBYTE or not 1 <= data[3] <= 4:
        raise UserError(
            f"{path} is not an IDX file of unsigned bytes (it begins with {data[:4].hex(' ') or 'nothing'})"
        )
    start = 4 + 4 * data[3]
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">u4")) if len(data) >= start else ()
    need = start + int(np.prod(shape, dtype=np.int64))
    if len(data) != need or len(shape) != data[3]:
        raise UserError(f"{path} holds {len(data):,} bytes, but its IDX header announces {need:,}: it is incomplete")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def write(path: Path, array: np.ndarray) -> None:
    """Write an array of unsigned bytes (1 to 4 axes) as IDX, compressed if the name ends in ``.gz``."""
    if array.dtype != np.uint8 or not 1 <= array.ndim <= 4:
        raise ValueError(f"IDX holds uint8 arrays of 1 to 4 axes, not {array.dtype} with {array.ndim}")
    data = bytes((0, 0, _UBYTE, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
    Path(path).write_bytes(gzip.compress(data, mtime=0) if Path(path).suffix == ".gz" else data)
