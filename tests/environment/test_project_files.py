"""Files around the code: what git ignores, what the package carries, what is pinned, who is cited."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HOST = re.compile(r"https?://|file://|--(extra-)?index-url|--find-links")


def ignored(tmp_path: Path, name: str) -> bool:
    """Does the project's .gitignore cover this path, in a repository of its own?"""
    if not (tmp_path / ".git").exists():
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
        (tmp_path / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    return subprocess.run(["git", "-C", tmp_path, "check-ignore", "--quiet", "--no-index", name]).returncode == 0


def test_generated_files_are_ignored_and_sources_are_not(tmp_path):
    for name in (
        "data/datasets/x",
        "results/laptop/claims.json",
        "logs/x",
        "figures/fig_01.pdf",
        ".venv/x",
        ".snakemake/x",
    ):
        assert ignored(tmp_path, name), name
    for name in (
        "src/muon_imbalance/data/digits/idx.py",
        "figures/README.md",
        "tests/data/test_idx.py",
        "docs/figures/a.png",
    ):
        assert not ignored(tmp_path, name), name


def unnamed_hosts(text: str) -> bool:
    return HOST.search(text) is None


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-dev.lock", "envs/pipeline.yaml", "Makefile", ".ci/run"]
)
def test_pins_name_no_host(name):
    assert unnamed_hosts((ROOT / name).read_text())


def test_the_search_for_hosts_bites():
    for line in (
        "--extra-index-url somewhere",
        "torch @ https://somewhere/torch.whl",
        "--find-links /wheels",
    ):
        assert not unnamed_hosts(f"numpy==2.0\n{line}\n")


def test_every_requirement_is_pinned_in_the_lock():
    def names(text: str) -> set[str]:
        lines = [line for line in text.splitlines() if line and not line.startswith(("#", " ", "-"))]
        return {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in lines}

    for stem in ("requirements", "requirements-dev"):
        wanted, pinned = (names((ROOT / f"{stem}.{ending}").read_text()) for ending in ("in", "lock"))
        assert wanted <= pinned


def imported() -> set[str]:
    """Top-level packages that code, rules, scripts and notebooks import, installed ones found by their name too."""
    texts = [
        path.read_text()
        for folder in ("src", "workflow", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".smk")
    ]
    texts += [(ROOT / "workflow/Snakefile").read_text()]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        texts += ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]
    found = re.findall(r"^\s*(?:from|import) (\w+)", "\n".join(texts), re.MULTILINE)
    return {*found, *re.findall(r"find_spec\(\"(\w+)\"\)", "\n".join(texts))}


NOT_IMPORTED = {"jupyter", "jsonschema"}
"""For people, and a version that must not be newer."""
CALLED = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}


def test_requirements_are_what_is_imported():
    lines = [line for line in (ROOT / "requirements.in").read_text().splitlines() if not line.startswith("#")]
    names = {re.match(r"[A-Za-z0-9-]+", line)[0] for line in lines} - {"setuptools"}
    modules = {CALLED.get(name, name.replace("-", "_")) for name in names - NOT_IMPORTED}
    used = imported() - set(sys.stdlib_module_names) - {"muon_imbalance", "pip"}
    installed = {name for name in used if importlib.util.find_spec(name)}
    assert modules - used == set(), "required and never imported"
    assert installed - modules - NOT_IMPORTED == set(), "imported and not required"


def test_citation_names_both_papers_and_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    values = [reference["identifiers"][0]["value"] for reference in citation["references"]]
    assert values == ["arXiv:2510.22980", "arXiv:2506.15054"]
    assert all(author["family-names"] for reference in citation["references"] for author in reference["authors"])


def test_licence_is_the_one_of_the_metadata():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert PROJECT["license"] == "MIT"


@pytest.mark.slow
def test_wheel_carries_templates_and_the_command(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md", "requirements.in"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    files = [
        path
        for path in (ROOT / "src" / "muon_imbalance").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    for path in files:
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
        (entry_points,) = [name for name in carried if name.endswith("entry_points.txt")]
        assert "muon-imbalance = muon_imbalance.cli:main" in archive.read(entry_points).decode()
    assert {path.relative_to(ROOT / "src").as_posix() for path in files} <= carried
