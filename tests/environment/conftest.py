"""Small projects with their own copy of the set-up script, and Pythons that only pretend to install."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
TOOLS = "bash sh env dirname uname cat head grep rm mv cp mkdir sed sleep touch chmod".split()

# An "installed Python" that runs code as the real one does, but makes an empty environment and only notes
# what pip and uv are asked. FAKE_UV=absent|broken and FAKE_PIP=broken make them fail, FAKE_SLEEP slow.
STAND_IN = r"""#!/bin/sh
here=$(dirname "$0")
case "$*" in
  *"-m venv"*)
    for last; do :; done
    mkdir -p "$last/bin" && cp "$0" "$last/bin/python" && echo "venv" >> "$FAKE_LOG" ;;
  *"-m pip install"*uv==*)
    echo "pip uv" >> "$FAKE_LOG"
    [ "$FAKE_UV" = absent ] && exit 1
    cat > "$here/uv" <<'UV'
#!/bin/sh
[ "$1" = --version ] && exit 0
echo "uv $*" >> "$FAKE_LOG"
sleep "${FAKE_SLEEP:-0}"
[ "$FAKE_UV" != broken ]
UV
    chmod +x "$here/uv" ;;
  *"-m pip install"*)
    echo "pip $*" >> "$FAKE_LOG"
    [ "$FAKE_PIP" != broken ] ;;
  *)
    text=$("$REAL_PYTHON" "$@"); status=$?
    [ -z "$text" ] || printf '%s\n' "$text" | sed "s|$REAL_PYTHON|$0|"
    exit $status ;;
esac
"""


class Project:
    """A folder with the set-up script and two small lock files; ``run`` calls the script there."""

    def __init__(self, root: Path, tools: Path):
        self.root, self.tools, self.log = root, tools, root.parent / "calls.log"
        (root / "scripts").mkdir(parents=True)
        for name in ("setup.sh", "uv_settings.py"):
            shutil.copy2(ROOT / "scripts" / name, root / "scripts" / name)
        (root / "requirements.lock").write_text("# nothing\n")
        (root / "requirements-dev.lock").write_text("# nothing more\n")
        (root / "pyproject.toml").write_text("[project]\nname = 'toy'\nversion = '1'\n")

    def python(self, name: str, text: str = STAND_IN) -> Path:
        """Put an executable on the PATH of this project."""
        path = self.tools / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def environment(self, **settings: str) -> dict[str, str]:
        """Only the project's own tools on PATH, no index for pip or uv."""
        base = {
            "PATH": str(self.tools),
            "HOME": str(self.root.parent),
            "PIP_NO_INDEX": "1",
            "UV_OFFLINE": "1",
        }
        return base | {"FAKE_LOG": str(self.log), "REAL_PYTHON": BASE_PYTHON, "PIP_CONFIG_FILE": os.devnull} | settings

    def command(self, *arguments: str) -> list[str]:
        return [str(self.tools / "bash"), str(self.root / "scripts" / "setup.sh"), *arguments]

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        environment = self.environment(**settings)
        return subprocess.run(self.command(*arguments), env=environment, capture_output=True, text=True, timeout=120)

    def calls(self) -> list[str]:
        """What was asked of venv, pip and uv since the last look."""
        lines = self.log.read_text().splitlines() if self.log.is_file() else []
        self.log.unlink(missing_ok=True)
        return lines

    @property
    def venv(self) -> Path:
        return self.root / ".venv"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without any Python on its PATH."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))
    return Project(tmp_path / "project", tools)
