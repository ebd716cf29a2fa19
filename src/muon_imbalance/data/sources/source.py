"""One place that holds a data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources.digest import mismatch

OFFICIAL = "official host"
"""Version of what is fetched from the host of its authors or of the library that knows it."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place that holds a data set.

    Attributes:
        name: key in :data:`muon_imbalance.data.sources.SOURCES`.
        ecosystem: ``npm``, ``pip`` or ``apt`` (an archive fetched by that client), ``torchvision`` or ``hub`` (the
            official host, through ``torchvision`` or Hugging Face's libraries), or ``folder`` (files the user has).
        members: role -> (path inside the archive or the user's folder, digest of the content). A digest is a sha256,
            or with ``md5:`` before it the one that the authors publish; empty where none is known. For a folder it is
            that of the uncompressed content.
        dataset: name of the data set that these files are.
        kind: ``real``, ``real-other``, ``composed`` or ``generated``.
        label: what a figure drawn from it says.
        licence, citation: of the data, not of the packaging.
        package, version: what the client is asked for (of ``torchvision``: ``datasets.<class>`` or
            ``models.<weights>``; empty for a folder).
        archive_sha256, archive_bytes: hash and size of the archive (empty and 0 where there is none).
    """

    name: str
    ecosystem: str
    members: Mapping[str, tuple[str, str]]
    dataset: str
    label: str
    licence: str
    citation: str
    kind: str = "real"
    package: str = ""
    version: str = ""
    archive_sha256: str = ""
    archive_bytes: int = 0

    def files(self, given: Mapping[str, Path], verify: bool = True) -> tuple[dict[str, Path], bool]:
        """A builder's input files by role, and whether all have the recorded content.

        ``verify: false`` accepts other content of a folder of the user only.

        Raises:
            UserError: one is missing, or has other content.
        """
        if missing := sorted(set(self.members) - set(given)):
            raise UserError(f"{self.dataset}: source {self.name} gave no file for {', '.join(missing)}")
        files, folder = {role: Path(given[role]) for role in self.members}, self.ecosystem == "folder"
        for role, (_, digest) in self.members.items():
            if wrong := mismatch(files[role], digest, content=folder):
                if verify or not folder:
                    raise UserError(f"{self.dataset}: {files[role]}: {wrong} (source {self.name})")
                return files, False
        return files, True

    def provenance(self) -> dict:
        """What a manifest records about this source (no path of this machine)."""
        return {key: getattr(self, key) for key in ("name", "ecosystem", "package", "version", "archive_sha256")}

    def facts(self) -> dict:
        """What a manifest says of data that are this source's official files."""
        same = {key: getattr(self, key) for key in ("kind", "label", "licence", "citation")}
        return {"name": self.dataset, "source": self.provenance()} | same


def members(table: str, folder: str = "") -> dict[str, tuple[str, str]]:
    """:attr:`Source.members` from lines ``role file digest`` (no digest where none is known), files in ``folder``."""
    lines = (line.split() for line in table.strip().splitlines())
    return {role: (folder + file, "".join(digest)) for role, file, *digest in lines}


def official_and_folder(ecosystem: str, package: str, **facts) -> tuple[Source, Source]:
    """Official files, ``<dataset>_<ecosystem>`` from their host and ``<dataset>_folder`` from a folder of the user."""
    dataset = facts["dataset"]
    return (
        Source(name=f"{dataset}_{ecosystem}", ecosystem=ecosystem, package=package, version=OFFICIAL, **facts),
        Source(name=f"{dataset}_folder", ecosystem="folder", **facts),
    )
