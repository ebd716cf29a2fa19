"""scripts/uv_settings.py hands pip's settings to uv and leaves the user's own alone."""

import importlib.util
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("uv_settings", ROOT / "scripts" / "uv_settings.py")
uv_settings = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(uv_settings)

LISTING = """\
:env:.find-links='/env/wheels'
global.extra-index-url='\\nfile:///first/simple\\nfile:///second/simple'
global.find-links='/global/wheels'
global.timeout='60'
install.timeout='90'
freeze.timeout='1'
"""


def test_later_sections_win_and_other_commands_are_ignored():
    options = uv_settings.pip_options(LISTING)
    assert options["find-links"] == "/env/wheels"
    assert options["timeout"] == "90"


def test_values_are_joined_as_uv_splits_them():
    lines = uv_settings.exports({"extra-index-url": "\na\nb", "find-links": "c d"}, {})
    assert "export UV_INDEX='a b'" in lines
    assert "export UV_FIND_LINKS=c,d" in lines
    assert "export UV_INDEX_STRATEGY=unsafe-best-match" in lines


def test_the_user_s_own_variables_stay():
    own = {"UV_INDEX": "mine", "UV_INDEX_STRATEGY": "first-index"}
    lines = uv_settings.exports({"extra-index-url": "theirs", "cert": "ca.pem"}, own)
    assert lines == ["export SSL_CERT_FILE=ca.pem"]


def test_values_cannot_leave_the_shell_word():
    (line, *_) = [text for text in uv_settings.exports({"cert": "a'; echo broken; '"}, {}) if "SSL" in text]
    printed = subprocess.run(
        ["bash", "-c", f'{line}; printf %s "$SSL_CERT_FILE"'], capture_output=True, text=True
    ).stdout
    assert printed == "a'; echo broken; '"
