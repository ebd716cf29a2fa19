"""A stand-in for the `conda` command: what Snakemake 9 asks of it, done by py-rattler, a real solver.

    python conda_standin.py install FOLDER      writes FOLDER/bin/conda and FOLDER/bin/activate

For tests on machines without conda: put FOLDER/bin on the PATH of one command, never on a user's. It shows
that Snakemake creates, activates and reuses the environment and that a channel with ``python`` and ``pip``
solves it; it does not show how the real conda behaves or what conda-forge serves today.
CONDA_STANDIN_CHANNELS (a URL) is put before the names of channels.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "24.7.1"  # the oldest that Snakemake accepts


def install_commands(folder: Path) -> None:
    """Write the two files that Snakemake looks for."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    conda = binaries / "conda"
    conda.write_text(
        f"#!/bin/sh\nCONDA_STANDIN_PREFIX='{folder}' exec '{sys.executable}' -I '{Path(__file__).absolute()}' \"$@\"\n"
    )
    conda.chmod(0o755)
    (binaries / "activate").write_text('export CONDA_PREFIX="$1"\nexport PATH="$1/bin:$PATH"\n')


def channels(names: list[str]) -> list[str]:
    """Channel names as addresses; `nodefaults` is an instruction, not a channel."""
    root = os.environ.get("CONDA_STANDIN_CHANNELS")
    wanted = [name for name in names if name != "nodefaults"]
    return [f"{root}/{name}" if root and "://" not in name else name for name in wanted]


async def solve_and_install(names: list[str], packages: list[str], prefix: Path) -> None:
    """Solve the conda packages from the channels and install them below ``prefix``."""
    from rattler import Channel, ChannelPriority, Platform, VirtualPackage, install, solve

    records = await solve(
        sources=[Channel(name) for name in channels(names)],
        specs=packages,
        platforms=[str(Platform.current()), "noarch"],
        virtual_packages=VirtualPackage.detect(),
        channel_priority=ChannelPriority.Strict,
    )
    await install(records=records, target_prefix=prefix, show_progress=False)


def create(file: Path, prefix: Path) -> None:
    """`conda env create`: the conda packages first, then the pip section by the environment's own pip."""
    import yaml

    environment = yaml.safe_load(file.read_text(encoding="utf-8"))
    packages = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    sections = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    asyncio.run(solve_and_install(environment["channels"], packages, prefix))
    requirements = [line for section in sections for line in section]
    if requirements:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=file.parent) as listing:
            listing.write("\n".join(requirements) + "\n")
            listing.flush()
            command = [str(prefix / "bin" / "python"), "-m", "pip", "install", "-r", listing.name]
            subprocess.run(command, check=True)


def value(arguments: list[str], option: str) -> str:
    """The word after an option."""
    return arguments[arguments.index(option) + 1]


def answer(arguments: list[str]) -> None:
    """Do what one command line asks. SystemExit: Snakemake has never asked this."""
    match arguments:
        case ["install", folder]:
            install_commands(Path(folder).absolute())
        case ["--version"]:
            print(f"conda {VERSION} (stand-in)")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": os.environ["CONDA_STANDIN_PREFIX"], "platform": subdir()}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", *options]:
            create(Path(value(options, "--file")), Path(value(options, "--prefix")))
        case ["clean", *_]:
            pass
        case _:
            sys.exit(f"conda stand-in: not supported: {' '.join(arguments)}")


def subdir() -> str:
    """This machine in conda's words, such as linux-64."""
    from rattler import Platform

    return str(Platform.current())


if __name__ == "__main__":
    status = 0
    try:
        answer(sys.argv[1:])
    except Exception as error:  # told as conda would tell it: a message and a failing status
        print(f"conda stand-in: {error}", file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # py-rattler can crash while the interpreter shuts down, after its work is done
