"""Files from their official host, through torchvision, which knows the addresses: data sets and ImageNet weights."""

from pathlib import Path

from muon_imbalance.data.digest import matches
from muon_imbalance.data.sources import Source
from muon_imbalance.errors import UserError


def fetch(source: Source, cache: Path) -> dict[str, Path]:
    """Files of the source by role, downloaded into the cache unless they are there; each is compared with its md5.

    Raises:
        UserError: the host cannot be reached, or a file has other content.
    """
    if source.package.count("."):
        return _weights(source, cache)
    from torchvision import datasets  # takes a second: only where it is needed

    kind = getattr(datasets, source.package)
    folder = cache / f"torchvision-{source.package}"
    paths = {role: folder / kind.base_folder / name for role, (name, _) in source.members.items()}
    if not all(path.is_file() for path in paths.values()):
        address = getattr(kind, "url", source.package)
        try:
            kind(str(folder), download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"source {source.name}: {address} could not be fetched ({error}); get it by other means, unpack it "
                f"into a folder, and name that as data_dir with source: {source.dataset}_folder"
            ) from error
    for role, path in paths.items():
        if not matches(path, source.members[role][1]):
            raise UserError(f"{path}: its md5 is not {source.members[role][1]}; delete {folder} and run again")
    return paths


def _weights(source: Source, cache: Path) -> dict[str, Path]:
    """The one file of weights that ``source.package``, such as ``ResNet18_Weights.IMAGENET1K_V1``, names."""
    from torch.hub import download_url_to_file
    from torchvision import models

    kind, _, version = source.package.partition(".")
    url = getattr(models, kind)[version].url
    ((role, (name, sha256)),) = source.members.items()
    path = cache / "torchvision-weights" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            download_url_to_file(url, str(path), hash_prefix=sha256, progress=False)
        except (OSError, RuntimeError) as error:
            raise UserError(f"source {source.name}: {url} could not be fetched ({error})") from error
    if not matches(path, sha256):
        raise UserError(f"{path}: its sha256 is not {sha256}; delete it and run again")
    return {role: path}
