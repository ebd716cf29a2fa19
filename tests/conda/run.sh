#!/usr/bin/env bash
# Two smoke jobs through `snakemake --use-conda`, in a copy of the repository (`make test-conda`).
#
#   tests/conda/run.sh [TARGET...]     other targets; KEEP=yes keeps the copy
#
# Uses the conda on PATH when it is new enough for Snakemake; otherwise a stand-in (conda_standin.py) with a channel on this disk
# (local_channel.py). Builds the full pinned environment: some minutes and about 6 GB, removed at the end.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
PYTHON="$ROOT/.venv/bin/python"
RUNS=results/smoke/runs/population_linear
TARGETS=("$RUNS/gd.0.parquet" "$RUNS/specgd.0.parquet")
[ $# -eq 0 ] || TARGETS=("$@")
OLDEST=24.7.1

say() { printf 'test-conda: %s\n' "$*"; }
die() { printf 'test-conda: error: %s\n' "$*" >&2; exit 1; }

[ -x "$PYTHON" ] || die ".venv is missing: run make setup-dev first"
WORK="$(cd "$(mktemp -d)" && pwd -P)"
[ "${KEEP:-}" = yes ] && say "keeping $WORK" || trap 'rm -rf "$WORK"' EXIT
COPY="$WORK/repository"
mkdir "$COPY"
(cd "$ROOT" && git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done | tar --null -T - -cf -) | tar -xf - -C "$COPY"

# Every Python that a job starts has src on its path, runs this file and so leaves a record of itself.
cp "$ROOT/tests/conda/sitecustomize.py" "$COPY/src/"

new_enough() {
  "$PYTHON" -I -c 'import re, sys
found, oldest = ([int(part) for part in re.search(r"(\d+)\.(\d+)\.(\d+)", text).groups()] for text in sys.argv[1:])
sys.exit(found < oldest)' "$1" "$OLDEST" 2>/dev/null
}
if type -P conda > /dev/null && new_enough "$(conda --version 2>&1)"; then
  say "using $(conda --version)"
else
  "$PYTHON" -I -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    die "the stand-in for conda offers the Python of .venv, and envs/pipeline.yaml asks for 3.11: build .venv with PYTHON=python3.11 or install conda $OLDEST or newer"
  say "no conda $OLDEST or newer on PATH: using the stand-in of tests/conda"
  "$PYTHON" "$ROOT/tests/conda/local_channel.py" "$WORK/channels"
  "$PYTHON" "$ROOT/tests/conda/conda_standin.py" install "$WORK/conda"
  export PATH="$WORK/conda/bin:$PATH" CONDA_STANDIN_CHANNELS="file://$WORK/channels"
fi

cd "$COPY"
SNAKEMAKE=("$ROOT/.venv/bin/snakemake" --cores all --config scale=smoke)
SECONDS=0
say "building the environment and running ${#TARGETS[@]} jobs; pip is silent for some minutes"
"${SNAKEMAKE[@]}" --use-conda -- "${TARGETS[@]}"
took=$SECONDS

"$PYTHON" "$ROOT/tests/conda/check_interpreters.py" "$COPY" "${#TARGETS[@]}" || die "a job did not run in the conda environment"

say "turning conda off must run nothing again"
"${SNAKEMAKE[@]}" --dry-run -- "${TARGETS[@]}" | tee "$WORK/dry-run.log" | tail -n 2
grep -q "Nothing to be done" "$WORK/dry-run.log" || die "without --use-conda Snakemake wants to run finished jobs again"

say "passed: ${#TARGETS[@]} targets in ${took} s, environment $(du -sh .snakemake/conda | cut -f1)"
