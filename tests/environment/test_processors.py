"""The passes of `make test-processors`: which variables can change anything on a processor, and the exit status."""

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts/test_processors.py"))
SETTINGS = [setting for setting, _ in SCRIPT["VARIANTS"]]


@pytest.mark.parametrize(
    ("known", "run"),
    [
        (set(), []),  # Arm, or an old processor
        ({"avx2"}, [setting for setting in SETTINGS if setting.endswith(("default", "SSE4_2", "SSE41", "Nehalem"))]),
        ({"avx2", "avx512f"}, SETTINGS[:-1]),
        ({"avx2", "avx512f", "amx_bf16"}, SETTINGS),
    ],
)
def test_variables_that_change_nothing_are_named_and_not_run(known, run):
    chosen, left = SCRIPT["plan"](known)
    first, *others = chosen
    assert others == run and chosen[first] == {} and set(left) - {"bfloat16 units"} == set(SETTINGS) - set(run)
    assert ("amx_bf16 on" in first) == ("amx_bf16" in known)
    assert left.get("bfloat16 units", "") == ("" if "amx_bf16" in known else "no bfloat16 units here")


def test_a_variant_sets_its_variable_alone():
    chosen, _ = SCRIPT["plan"]({"avx2"})
    assert chosen["ONEDNN_MAX_CPU_ISA=SSE41"] == {"ONEDNN_MAX_CPU_ISA": "SSE41"}


@pytest.mark.parametrize(("claim", "status"), [("True", 0), ("False", 1)])
def test_a_failing_variant_is_counted_and_decides_the_exit_status(claim, status, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(SCRIPT["main"].__globals__, "flags", set)
    (tmp_path / "test_one.py").write_text(f"def test_one():\n    assert {claim}\n\ndef test_two():\n    pass\n")
    assert (
        SCRIPT["main"](["-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path / "test_one.py")]) == status
    )
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("nothing set")]
    assert row.split()[2:4] == [str(2 - status), str(status)]
