"""Files from their official host, through torchvision, which knows the addresses: data sets and ImageNet weights."""

from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources import Source
from muon_imbalance.data.sources.digest import mismatch


def fetch(source: Source, cache: Path) -> dict[str, Path]:
    """Files of the source by role, downloaded into the cache unless they are there; each is compared with its digest.

    Raises:
        UserError: the host cannot be reached, or a file has other content.
    """
    module, _, name = source.package.partition(".")
    return _weights(source, name, cache) if module == "models" else _files(source, name, cache)


def _files(source: Source, name: str, cache: Path) -> dict[str, Path]:
    """The files of a class of ``torchvision.datasets``."""
    from torchvision import datasets  # takes a second: only where it is needed

    kind = getattr(datasets, name)
    folder = cache / f"torchvision-{name}"
    paths = {role: folder / member for role, (member, _) in source.members.items()}
    if not all(path.is_file() for path in paths.values()):
        address = getattr(kind, "url", name)
        try:
            kind(str(folder), download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"source {source.name}: {address} could not be fetched ({error}); get it by other means, unpack it "
                f"into a folder, and name that as data_dir with source: {source.dataset}_folder"
            ) from error
    for role, path in paths.items():
        if wrong := mismatch(path, source.members[role][1]):
            raise UserError(f"{path}: its {wrong}; delete {folder} and run again")
    return paths


def _weights(source: Source, name: str, cache: Path) -> dict[str, Path]:
    """The one file of weights that an entry of ``torchvision.models``, ``ResNet18_Weights.IMAGENET1K_V1``, names."""
    from torch.hub import download_url_to_file
    from torchvision import models

    kind, _, version = name.partition(".")
    url = getattr(models, kind)[version].url
    ((role, (file, sha256)),) = source.members.items()
    path = cache / "torchvision-weights" / file
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            download_url_to_file(url, str(path), hash_prefix=sha256, progress=False)
        except (OSError, RuntimeError) as error:
            raise UserError(f"source {source.name}: {url} could not be fetched ({error})") from error
    if wrong := mismatch(path, sha256):
        raise UserError(f"{path}: its {wrong}; delete it and run again")
    return {role: path}
