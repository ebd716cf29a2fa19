"""Lets the theory tests import one another (``theory_draws``, and the checks that mutations break)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
