"""Runs the numeric tests as other processors would, by hand: `make test-processors`.

    python scripts/test_processors.py [arguments of pytest, files instead of the numeric tests among them]

PyTorch, MKL, oneDNN and OpenBLAS choose their kernels by the instructions that they find, and variables of the
environment take instructions from them. A variable that can change nothing here is named, not run. Prints a table of
variant -> passed, failed; the exit status is 1 if a variant fails. What failed is in the output above the table.
"""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NUMERIC = ["tests/optimizers", "tests/theory", "tests/training"]
BFLOAT16 = {"avx512_bf16", "amx_bf16"}

VARIANTS = [
    ("ATEN_CPU_CAPABILITY=default", {"avx2"}),
    ("ATEN_CPU_CAPABILITY=avx2", {"avx512f"}),
    ("MKL_ENABLE_INSTRUCTIONS=AVX2", {"avx512f"}),
    ("MKL_ENABLE_INSTRUCTIONS=SSE4_2", {"avx2"}),
    ("ONEDNN_MAX_CPU_ISA=AVX2", {"avx512f"}),
    ("ONEDNN_MAX_CPU_ISA=SSE41", {"avx2"}),
    ("OPENBLAS_CORETYPE=Haswell", {"avx512f"}),
    ("OPENBLAS_CORETYPE=Nehalem", {"avx2"}),
    ("ONEDNN_MAX_CPU_ISA=AVX512_CORE", BFLOAT16),
]
"""Variables, and the instructions that each takes away; where the processor has none of them it changes nothing."""


def flags() -> set[str]:
    """Instructions of this processor by Linux's names; none where it is not x86 or does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return set(found[1].split()) if found else set()


def plan(known: set[str]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Variants to run, with their variables, and those that are not run, with the reason."""
    units = sorted(known & BFLOAT16)
    name = f"nothing set, {' and '.join(units)} on" if units else "nothing set"
    chosen, left = {name: {}}, {} if units else {"bfloat16 units": "no bfloat16 units here"}
    for setting, taken in VARIANTS:
        if known & taken:
            chosen[setting] = dict([setting.split("=")])
        else:
            left[setting] = f"changes nothing here: no {' or '.join(sorted(taken))}"
    return chosen, left


def run(variables: dict[str, str], arguments: list[str]) -> tuple[int, int, bool]:
    """Numbers of tests that passed and that did not, and whether pytest came to its end without a failure."""
    others = {setting.split("=")[0] for setting, _ in VARIANTS}
    environment = {key: value for key, value in os.environ.items() if key not in others}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")} | variables
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            lines.append(line)
            print(line, end="", flush=True)
    counts = dict.fromkeys(("passed", "failed", "error"), 0)
    for number, word in re.findall(r"(\d+) (passed|failed|error)", lines[-1] if lines else ""):
        counts[word] = int(number)
    return counts["passed"], counts["failed"] + counts["error"], process.returncode == 0


def main(arguments: list[str]) -> int:
    if not any((ROOT / argument.split("::")[0]).exists() for argument in arguments):
        arguments = [*arguments, *NUMERIC]
    chosen, left = plan(flags())
    rows, good = [], True
    for name, variables in chosen.items():
        print(f"== {name}", flush=True)
        start = time.monotonic()
        passed, failed, ended = run(variables, arguments)
        good &= ended
        remark = "" if ended or failed else "  (pytest did not come to its end)"
        rows.append(f"{name:<40} {passed:>6} {failed:>6} {time.monotonic() - start:>6.0f} s{remark}")
    print(f"\n{platform.machine()}: {' '.join(arguments)}\n{'variant':<40} {'passed':>6} {'failed':>6}")
    print("\n".join(rows + [f"{name:<40} not run: {reason}" for name, reason in left.items()]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
