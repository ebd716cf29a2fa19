"""Did the jobs run in the conda environment? `python check_interpreters.py FOLDER STAGES` exits 1 if not.

Reads FOLDER/interpreters.jsonl, which sitecustomize.py wrote: every interpreter must lie below
FOLDER/.snakemake/conda, and at least STAGES stages (``python -m muon_imbalance.<stage>``) must be there.
"""

import json
import sys
from pathlib import Path


def complaints(folder: Path, stages: int) -> list[str]:
    """What is wrong with the record, a sentence each."""
    record = folder / "interpreters.jsonl"
    lines = [json.loads(line) for line in record.read_text().splitlines()] if record.is_file() else []
    prefix = folder / ".snakemake" / "conda"
    found = [
        f"outside the environment: {executable} ran {command}"
        for executable, command in lines
        if not Path(executable).is_relative_to(prefix)
    ]
    ran = sum("-m muon_imbalance." in command for _, command in lines)
    if ran < stages:
        found.append(f"{ran} stages were recorded, {stages} expected")
    return found


if __name__ == "__main__":
    wrong = complaints(Path(sys.argv[1]), int(sys.argv[2]))
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    sys.exit(bool(wrong))
