"""A copy of the project in a temporary folder, and one run of the whole smoke scale that many tests look at."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"


def copy_project(target: Path) -> Path:
    """Files that git knows or would add; nothing that a run wrote."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


class Project:
    """A folder with the project in it, and Snakemake to run there."""

    def __init__(self, folder: Path):
        self.folder = folder

    def command(self, *arguments: str, cores: int = 2, scale: str = "smoke") -> list[str]:
        return [str(SNAKEMAKE), "--cores", str(cores), *arguments, "--config", f"scale={scale}"]

    def environment(self) -> dict[str, str]:
        """No activated environment: only the system's PATH."""
        kept = {k: v for k, v in os.environ.items() if k.startswith(("HOME", "PIP_", "MUON_", "LANG", "SSL", "npm_"))}
        return kept | {"PATH": "/usr/local/bin:/usr/bin:/bin"}

    def run(
        self, *arguments: str, cores: int = 2, scale: str = "smoke", check: bool = True
    ) -> subprocess.CompletedProcess:
        """Run Snakemake; both streams are in ``stdout``."""
        done = subprocess.run(
            self.command(*arguments, cores=cores, scale=scale), cwd=self.folder, env=self.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1500,
        )  # fmt: skip
        if check and done.returncode:
            pytest.fail(f"snakemake {' '.join(arguments)} failed:\n{done.stdout[-6000:]}")
        return done

    def planned(self, *arguments: str, scale: str = "smoke") -> dict[str, int]:
        """Rules of a dry run and how many jobs each has; what it said stays in ``said``."""
        self.said = self.run("-n", *arguments, scale=scale).stdout
        jobs, table = {}, False
        for line in self.said.splitlines():
            if line.startswith("job ") and "count" in line:
                table = True
            elif table and line.startswith("total"):
                return jobs
            elif table and line.strip() and not line.startswith("-"):
                name, count = line.split()
                jobs[name] = int(count)
        return jobs

    def edit(self, name: str, before: str, after: str) -> None:
        """Replace text in a file (it must be there)."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert before in text, f"{name} does not contain {before!r}"
        path.write_text(text.replace(before, after), encoding="utf-8")


def pytest_collection_modifyitems(items):
    """Tests that look at the one smoke run come first; they may wait for it."""
    once = [item for item in items if "smoke" in getattr(item, "fixturenames", ())]
    for item in once:
        item.add_marker(pytest.mark.timeout(1800))
    items[:] = once + [item for item in items if item not in once]


@pytest.fixture(scope="session")
def smoke(tmp_path_factory, worker_id) -> Project:
    """The whole smoke scale, run once by the first process of the tests that needs it; the others wait.

    Do not change anything in it; take :func:`finished` for that.
    """
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent
    project, said = Project(base / "smoke"), base / "smoke.said"
    with FileLock(base / "smoke.lock"):
        if not said.is_file():
            project.folder.mkdir()
            copy_project(project.folder)
            said.write_text(project.run().stdout, encoding="utf-8")
    project.log = said.read_text(encoding="utf-8")
    return project


@pytest.fixture
def finished(smoke, tmp_path) -> Project:
    """A copy of the finished smoke run that a test may change."""
    shutil.copytree(smoke.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path) -> Project:
    """The project as cloned."""
    return Project(copy_project(tmp_path / "project"))
