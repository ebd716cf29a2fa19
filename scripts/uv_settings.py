"""Prints shell `export` lines that tell uv what pip already knows: indexes, find-links, certificate, hosts.

uv does not read pip's configuration. Variables that the user has set stay as they are. Used by
`scripts/setup.sh` and `make lock`::

    eval "$(.venv/bin/python scripts/uv_settings.py)"
"""

import ast
import os
import shlex
import subprocess
import sys

# pip option -> (uv variable, what joins several values)
OPTIONS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": (
        "UV_OFFLINE",
        " ",
    ),  # uv has no variable of that meaning; local find-links still work offline
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
SECTIONS = ("global", "install", ":env:")  # a later one wins, as in pip


def pip_options(listing: str) -> dict[str, str]:
    """Option -> value from the lines ``section.option='value'`` of ``pip config list``."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {option: value for section in SECTIONS for option, value in found[section].items()}


def exports(options: dict[str, str], environment: dict[str, str]) -> list[str]:
    """The ``export`` lines for ``options``; names present in ``environment`` are left out."""
    lines = []
    # pip looks at every index for the best version; uv by default stops at the first index that has the name.
    wanted = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for option, (variable, joiner) in OPTIONS.items():
        if option in options:
            wanted[variable] = joiner.join(options[option].split())
    for variable, value in wanted.items():
        if variable not in environment:
            lines.append(f"export {variable}={shlex.quote(value)}")
    return lines


if __name__ == "__main__":
    command = [sys.executable, "-I", "-m", "pip", "config", "list", "--disable-pip-version-check"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print("\n".join(exports(pip_options(listing), dict(os.environ))))
