"""Files of a data set from its official host, through torchvision, which knows the address and the archive's md5."""

from pathlib import Path

from muon_imbalance.data.digest import matches
from muon_imbalance.data.sources import Source
from muon_imbalance.errors import UserError


def fetch(source: Source, cache: Path) -> dict[str, Path]:
    """Files of the source by role, downloaded into the cache unless they are there; each is compared with its md5.

    Raises:
        UserError: the host cannot be reached, or a file has other content.
    """
    from torchvision import datasets  # takes a second: only where it is needed

    kind = getattr(datasets, source.package)
    folder = cache / f"torchvision-{source.package}"
    paths = {role: folder / kind.base_folder / name for role, (name, _) in source.members.items()}
    if not all(path.is_file() for path in paths.values()):
        try:
            kind(str(folder), download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"source {source.name}: {kind.url} could not be fetched ({error}); get it by other means, unpack it "
                f"into a folder, and name that as data_dir with source: {source.dataset}_folder"
            ) from error
    for role, path in paths.items():
        if not matches(path, source.members[role][1]):
            raise UserError(f"{path}: its md5 is not {source.members[role][1]}; delete {folder} and run again")
    return paths
