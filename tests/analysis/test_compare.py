"""`muon-imbalance compare`: verdicts that differ decide its exit status; numbers and notes are named."""

import json

import pytest

from muon_imbalance import cli
from muon_imbalance.analysis.claims import compare

RECORD = {"verdict": "holds", "n": 3, "estimate": 0.25, "ci_low": 0.1, "ci_high": 0.4, "note": "as it is."}


def written(folder, **records):
    folder.mkdir()
    content = [RECORD | {"id": name} | record for name, record in records.items()]
    (folder / "claims.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def status(*paths) -> int:
    try:
        cli.main(["compare", *map(str, paths)])
    except SystemExit as stop:
        return stop.code
    return 0


def test_equal_runs(tmp_path, capsys):
    one, other = written(tmp_path / "a", a={}, b={}), written(tmp_path / "b", b={}, a={})
    assert status(one, other / "claims.json") == 0
    assert capsys.readouterr().out.endswith("claims compared: 2, equal in all: 2\n")


@pytest.mark.parametrize("change", [{"verdict": "fails"}, {"verdict": "not-run", "estimate": None}])
def test_a_verdict_that_differs(tmp_path, capsys, change):
    assert status(written(tmp_path / "a", a={}, b={}), written(tmp_path / "b", a={}, b=change)) == 1
    said = capsys.readouterr().out
    assert said.startswith("verdicts that differ: 1\n  b: verdict 'holds' -> ") and "  a:" not in said


def test_numbers_and_notes_that_differ_are_named(tmp_path, capsys):
    one = written(tmp_path / "a", a={}, b={}, c={})
    other = written(tmp_path / "b", a={"ci_low": 0.1000001}, b={"note": "otherwise."}, c={})
    assert status(one, other) == 0
    said = capsys.readouterr().out
    assert "numbers that differ: 1\n  a: ci_low 0.1 -> 0.1000001\n" in said
    assert "notes alone that differ: 1\n  b: note 'as it is.' -> 'otherwise.'\n" in said
    assert "claims compared: 3, equal in all: 1" in said


def test_a_claim_that_one_lacks(tmp_path, capsys):
    one, other = written(tmp_path / "a", a={}, b={}), written(tmp_path / "b", a={}, c={})
    assert status(one, other) == 1
    assert "  b: only in the first\n  c: only in the second\n" in capsys.readouterr().out


def test_files_that_are_no_claims(tmp_path, capsys):
    good = written(tmp_path / "a", a={})
    assert status(good, tmp_path / "nowhere") == 2
    assert "judge the claims of that run first" in capsys.readouterr().err
    (tmp_path / "b.json").write_text('[{"id": "a"}]')
    assert status(good, tmp_path / "b.json") == 2
    assert "holds something that is no judged claim" in capsys.readouterr().err
    assert compare.read(good)["a"]["n"] == 3
