"""Hashes, commit, data labels and the all-or-nothing move of files."""

import json
import subprocess
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.reporting import provenance, publish_files


def test_code_hash_follows_content_and_name_only(project):
    Path("a.py").write_text("1")
    Path("b.py").write_text("2")
    first = provenance.code_sha256(["a.py", "b.py"])
    assert provenance.code_sha256([project / "b.py", "a.py", Path("a.py")]) == first
    Path("a.py").touch()
    assert provenance.code_sha256(["a.py", "b.py"]) == first
    Path("a.py").write_text("2")
    assert provenance.code_sha256(["a.py", "b.py"]) != first
    with pytest.raises(UserError, match="source file c.py cannot be read"):
        provenance.code_sha256(["c.py"])


def test_the_notebook_is_always_part_of_the_code_hash(project, spec):
    text = '{"nbformat": 4, "metadata": {}, "cells": []}'
    Path("n.ipynb").write_text(text)
    first = provenance.sidecar("fig_01", "n.ipynb", provenance.Spec(**spec), [])
    Path("n.ipynb").write_text(text + " ")
    assert provenance.sidecar("fig_01", "n.ipynb", provenance.Spec(**spec), [])["code_sha256"] != first["code_sha256"]


def test_the_record_is_complete_and_its_specification_closed(project, spec):
    Path("n.ipynb").write_text('{"nbformat": 4, "metadata": {}, "cells": []}')
    assert tuple(provenance.sidecar("fig_01", "n.ipynb", checked(provenance.Spec, spec, ""), [])) == provenance.KEYS
    with pytest.raises(UserError, match="provenance: unknown key 'sedes'"):
        checked(provenance.Spec, spec | {"sedes": [0]}, "provenance")
    with pytest.raises(UserError, match="provenance: key 'seeds' is missing"):
        checked(provenance.Spec, {key: value for key, value in spec.items() if key != "seeds"}, "provenance")


def test_origins_of_settings_are_written_where_they_are_given(project, spec):
    Path("n.ipynb").write_text('{"nbformat": 4, "metadata": {}, "cells": []}')
    given = checked(provenance.Spec, spec | {"origins": {"batch": "paper"}}, "provenance")
    record = provenance.sidecar("fig_01", "n.ipynb", given, [])
    assert tuple(record) == (*provenance.KEYS, "origins") and record["origins"] == {"batch": "paper"}
    with pytest.raises(UserError, match="origins.batch = 'guessed'; allowed: .*paper, source, chosen"):
        checked(provenance.Spec, spec | {"origins": {"batch": "guessed"}}, "provenance")


def test_stand_ins_are_named_in_the_title(project):
    manifest = json.loads(Path("manifest.json").read_text())
    Path("other.json").write_text(json.dumps(manifest | {"kind": "real-other", "label": "Sky groups"}))
    real = provenance.read_manifests(["manifest.json"])
    both = provenance.read_manifests(["manifest.json", "other.json", "other.json"])
    assert provenance.full_title("Fig", real) == "Fig"
    assert provenance.full_title("Fig", both) == "Fig [Sky groups]"
    titled = "Fig [sky groups for faces]"
    assert provenance.full_title(titled, both) == titled
    assert provenance.data_label(both) == "Colored-MNIST from MNIST; Sky groups"
    assert provenance.data_label([]) == provenance.NO_DATA


def test_bad_manifests(project):
    Path("manifest.json").write_text('{"name": "x"}')
    with pytest.raises(UserError, match="data manifest manifest.json lacks kind, sha256, label"):
        provenance.read_manifests(["manifest.json"])
    Path("manifest.json").write_text('["name"]')
    with pytest.raises(UserError, match="manifest.json holds list, not what belongs there"):
        provenance.read_manifests(["manifest.json"])


def test_commit_and_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_ROOT", tmp_path.resolve())
    assert provenance.git_commit() is None

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    assert provenance.git_commit() is None, "no commit yet"
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "one")
    commit = provenance.git_commit()
    assert len(commit) == 40
    (tmp_path / "new").write_text("1")
    assert provenance.git_commit() == commit, "a file that git does not know is no change"
    (tmp_path / "a").write_text("2")
    assert provenance.git_commit() == commit + "+changes"
    (tmp_path / "inner").mkdir()
    monkeypatch.setattr(provenance, "_ROOT", (tmp_path / "inner").resolve())
    assert provenance.git_commit() is None, "somebody else's repository around the project"


def test_promotion_is_all_or_nothing(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match="nothing was published"):
        publish_files.promote({tmp_path / "a": tmp_path / "out/a", tmp_path / "b": tmp_path / "taken"})
    assert list((tmp_path / "out").iterdir()) == []
    assert not list(tmp_path.glob(".*.part"))
    (tmp_path / "a").write_text("a")
    publish_files.promote({tmp_path / "a": tmp_path / "out/a"})
    assert (tmp_path / "out/a").read_text() == "a"


def test_workshop_starts_empty_and_vanishes(tmp_path):
    with pytest.raises(RuntimeError), publish_files.workshop(tmp_path, "x") as folder:
        (folder / "left").write_text("by a run that was killed")
        with publish_files.workshop(tmp_path, "x") as again:
            assert list(again.iterdir()) == []
            again.joinpath("y").write_text("1")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
