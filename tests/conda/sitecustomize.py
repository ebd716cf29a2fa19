"""Copied into the trial's src/: every Python that a job starts notes here which interpreter runs what."""

import json
import sys
from pathlib import Path

with Path(__file__).resolve().parent.parent.joinpath("interpreters.jsonl").open("a") as record:
    record.write(json.dumps([sys.executable, " ".join(sys.orig_argv)]) + "\n")
