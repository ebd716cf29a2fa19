"""`muon-imbalance compare`: a decided verdict that turned around is its exit status; all else is named."""

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


@pytest.mark.parametrize("verdict", ["fails", "absent"])
def test_a_decided_verdict_that_turned_around(tmp_path, capsys, verdict):
    assert status(written(tmp_path / "a", a={}, b={}), written(tmp_path / "b", a={}, b={"verdict": verdict})) == 1
    said = capsys.readouterr().out
    assert said.startswith("decided verdicts that turned around: 1\n  b: verdict 'holds' -> ") and "  a:" not in said


@pytest.mark.parametrize("change", [{"verdict": "inconclusive"}, {"verdict": "not-run", "estimate": None}])
def test_a_verdict_that_one_did_not_decide(tmp_path, capsys, change):
    assert status(written(tmp_path / "a", a={}, b={}), written(tmp_path / "b", a={}, b=change)) == 0
    assert "other verdicts that differ: 1\n  b: verdict 'holds' -> " in capsys.readouterr().out


def test_numbers_and_notes_that_differ_are_named(tmp_path, capsys):
    one = written(tmp_path / "a", a={}, b={}, c={}, d={})
    far = {"estimate": 0.5, "ci_low": 0.45, "ci_high": 0.55}
    other = written(tmp_path / "b", a={"ci_low": 0.1000001}, b={"note": "otherwise."}, c={}, d=far)
    assert status(one, other) == 0
    said = capsys.readouterr().out
    assert "estimates outside each other's intervals: 1\n  d: estimate 0.25 -> 0.5" in said
    assert "other numbers that differ: 1\n  a: ci_low 0.1 -> 0.1000001\n" in said
    assert "notes alone that differ: 1\n  b: note 'as it is.' -> 'otherwise.'\n" in said
    assert "claims compared: 4, equal in all: 1" in said


def test_a_claim_that_one_lacks(tmp_path, capsys):
    one, other = written(tmp_path / "a", a={}, b={}), written(tmp_path / "b", a={}, c={})
    assert status(one, other) == 0
    assert "  b: only in the first\n  c: only in the second\n" in capsys.readouterr().out


def test_files_that_are_no_claims(tmp_path, capsys):
    good = written(tmp_path / "a", a={})
    assert status(good, tmp_path / "nowhere") == 2
    assert "judge the claims of that run first" in capsys.readouterr().err
    (tmp_path / "b.json").write_text('[{"id": "a"}]')
    assert status(good, tmp_path / "b.json") == 2
    assert "holds something that is no judged claim" in capsys.readouterr().err
    assert compare.read(good)["a"]["n"] == 3
