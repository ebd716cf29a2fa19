#!/usr/bin/env bash
# Builds the project's Python environment in .venv (called by `make setup` and `make setup-dev`).
#
#   scripts/setup.sh          what the pipeline needs: the pins of requirements.lock and the project itself
#   scripts/setup.sh --dev    requirements-dev.lock too: the tests, the linters and JupyterLab
#   PYTHON=/path/to/python    chooses the interpreter (3.11 or newer)
#
# A finished set-up leaves a stamp in .venv: the folder, the Python and the hash of what was installed. With a matching stamp the
# script returns at once. A changed lock is installed over the old one; a .venv that is half-built, moved, broken or of another
# Python is built anew. Package indexes are those of pip's own settings. Exit status: 0 ready, 1 not ready (one sentence says why).
set -euo pipefail

UV_VERSION=0.13.8
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

# look: sets IDENTITY (folder and Python of .venv) and BASE, DEV (hashes of what should be in it); all empty when its Python does not start.
look() {
  { read -r IDENTITY && read -r BASE && read -r DEV; } < <("$VENV/bin/python" -I -S -c '
import hashlib, sys
print("%s Python %d.%d.%d" % (sys.argv[1], *sys.version_info[:3]))
for names in (["requirements.lock", "pyproject.toml"], ["requirements-dev.lock"]):
    print(hashlib.sha256(b"\0".join(open(name, "rb").read() for name in names)).hexdigest())' "$VENV" 2>/dev/null) ||
    IDENTITY="" BASE="" DEV=""
}

# has NAME HASH: the stamp NAME says that exactly this is installed. stamp NAME HASH writes it.
has() { [ -f "$VENV/.setup-$1" ] && [ "$(cat "$VENV/.setup-$1")" = "$IDENTITY
$2" ]; }
stamp() { printf '%s\n%s\n' "$IDENTITY" "$2" > "$VENV/.setup-$1.new" && mv -f "$VENV/.setup-$1.new" "$VENV/.setup-$1"; }

# why_rebuild: prints the reason why .venv cannot be kept, or nothing.
why_rebuild() {
  if [ ! -e "$VENV" ] && [ ! -L "$VENV" ]; then echo "there is none yet"
  elif [ ! -f "$VENV/.setup-base" ]; then echo "it holds no finished set-up"
  elif [ -z "$IDENTITY" ]; then echo "its Python does not start"
  elif [ "$(head -n 1 "$VENV/.setup-base")" != "$IDENTITY" ]; then echo "it was made in another folder or by another Python"
  elif [ -n "${PYTHON:-}" ] && [ "${IDENTITY##* }" != "$PYTHON_VERSION" ]; then echo "PYTHON asks for Python $PYTHON_VERSION"
  fi
}

# probe PYTHON: prints "<ok|old|novenv> <version> <interpreter>"; a virtual environment's Python is answered by the one below it.
probe() {
  "$1" -I -S -c '
import sys
verdict = "old"
if sys.version_info >= (3, 11):
    from importlib.util import find_spec
    verdict = "ok" if find_spec("venv") and find_spec("ensurepip") else "novenv"
version = "%d.%d.%d" % sys.version_info[:3]
print(verdict, version, getattr(sys, "_base_executable", None) or sys.executable)' 2>/dev/null
}

# find_python: sets BASE_PYTHON and PYTHON_VERSION. Python 3.11 comes first because envs/pipeline.yaml names it.
find_python() {
  local candidates=(python3.11 python3.12 python3.13 python3.14 python3 python) candidate verdict version path old="" novenv=""
  if [ -n "${PYTHON:-}" ]; then candidates=("$PYTHON"); fi
  for candidate in "${candidates[@]}"; do
    read -r verdict version path < <(probe "$candidate") || continue
    case $verdict in
      ok) BASE_PYTHON=$path PYTHON_VERSION=$version; return ;;
      novenv) novenv="${novenv:-$candidate ($version)}" ;;
      old) old="${old:-$candidate is $version}" ;;
    esac
  done
  [ -z "$novenv" ] || die "$novenv has no venv module; install it (Debian and Ubuntu: the package python3-venv) or set PYTHON=/path/to/another/python"
  [ -z "$old" ] || die "Python 3.11 or newer is needed, but $old; install a newer one or set PYTHON=/path/to/python3.11"
  [ -z "${PYTHON:-}" ] || die "PYTHON=$PYTHON does not start as a Python 3; give the path of Python 3.11 or newer"
  die "no Python was found; install Python 3.11 or newer or set PYTHON=/path/to/python3.11"
}

# hold_lock: one set-up at a time in this folder. The kernel drops the lock when this process and its children are gone.
hold_lock() {
  exec 9> "$ROOT/.venv.lock"
  "$BASE_PYTHON" -I -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null && return
  say "another set-up is at work in this folder; waiting for it"
  "$BASE_PYTHON" -I -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' || die "the lock file .venv.lock cannot be locked on this file system"
}

create_venv() {
  say "creating .venv with Python $PYTHON_VERSION"
  rm -rf "$VENV"
  "$BASE_PYTHON" -I -m venv "$VENV" || die "Python $PYTHON_VERSION could not create .venv (its message is above)"
  # uv is many times faster than pip; without it pip installs the same pins.
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 "uv==$UV_VERSION" ||
    say "uv $UV_VERSION could not be installed; going on with pip, which is slower"
}

# install WHAT PIP-ARGUMENT...: by uv, and by pip when there is no uv or it fails.
install() {
  local what=$1
  shift
  if "$VENV/bin/uv" --version > /dev/null 2>&1; then
    "$VENV/bin/uv" pip install --python "$VENV/bin/python" "$@" && return
    say "uv could not install $what; trying pip, which is slower"
  fi
  "$VENV/bin/python" -m pip install --disable-pip-version-check "$@" ||
    die "$what could not be installed (the reason is above): check the network and pip's package index, then run this again"
}

WITH_DEV=""
case "${1:-}" in
  "") ;;
  --dev) WITH_DEV=yes ;;
  *) die "unknown option $1; the only one is --dev" ;;
esac
case "$(uname -s)" in MINGW* | MSYS* | CYGWIN*) die "on Windows, run this inside WSL" ;; esac
unset PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIREMENT PIP_CONSTRAINT
cd "$ROOT"

stop_if_ready() {
  look
  reason="$(why_rebuild)"
  if [ -z "$reason" ] && has base "$BASE" && { [ -z "$WITH_DEV" ] || has dev "$DEV"; }; then
    say "up to date"
    exit 0
  fi
}

[ -z "${PYTHON:-}" ] || find_python
stop_if_ready
[ -n "${BASE_PYTHON:-}" ] || find_python
hold_lock
stop_if_ready

if [ -n "$reason" ]; then
  say "building .venv: $reason"
  create_venv
  look
fi
settings="$("$VENV/bin/python" -I scripts/uv_settings.py)"
eval "$settings"

if ! has base "$BASE"; then
  rm -f "$VENV"/.setup-*
  say "installing the pins of requirements.lock; on Linux PyTorch comes with CUDA: about 3 GB to download, 6 GB on disk, some minutes"
  install "requirements.lock" -r requirements.lock
  install "the project" --quiet --no-deps --no-build-isolation -e .
  stamp base "$BASE"
fi
if [ -n "$WITH_DEV" ] && ! has dev "$DEV"; then
  say "installing the packages of the tests and linters, less than a minute"
  install "requirements-dev.lock" -r requirements-dev.lock
  stamp dev "$DEV"
fi
say "ready: .venv, Python ${IDENTITY##* }"
