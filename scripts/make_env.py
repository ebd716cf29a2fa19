"""Writes ``envs/pipeline.yaml``, the conda environment, from ``requirements.lock``.

Only ``python`` and ``pip`` are conda packages; the lock's pins stand inline below ``pip:``, markers
included, because Snakemake copies the file away from the lock. ``--check`` writes nothing and exits 1 when
the file differs.
"""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.11"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.+))?$")


def pins(lock: str) -> list[str]:
    """The pins of a lock text, one a line, without comments.

    Raises:
        ValueError: a line is not of the form ``name==version [; marker]``.
    """
    found = []
    for number, line in enumerate(lock.splitlines(), 1):
        text = line.split(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        match = PIN.match(text)
        if match is None:
            raise ValueError(f"requirements.lock, line {number}: {text!r} is not a pin of the form name==version")
        marker = f" ; {match['marker']}" if match["marker"] else ""
        found.append(f"{match['name']}=={match['version']}{marker}")
    return found


def environment(lock: str) -> str:
    """Text of the environment file for a lock text."""
    lines = [
        "# Written by scripts/make_env.py from requirements.lock (`make lock`): edit requirements.in.",
        "channels:",
        "  - conda-forge",
        "  - nodefaults",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
        "  - pip:",
        *(f'      - "{pin}"' for pin in pins(lock)),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--output", type=Path, default=ROOT / "envs" / "pipeline.yaml")
    options = parser.parse_args()
    text = environment(options.lock.read_text(encoding="utf-8"))
    if options.check:
        if options.output.is_file() and options.output.read_text(encoding="utf-8") == text:
            return 0
        print(f"error: {options.output} does not match {options.lock}: run make lock", file=sys.stderr)
        return 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
