"""A page of the report must not ask the network for anything, nor send its reader there."""

import re
from html.parser import HTMLParser

from muon_imbalance.common.errors import UserError

_ADDRESS_ATTRIBUTES = {
    "action", "background", "cite", "data", "formaction", "href", "poster", "src", "srcset", "xlink:href",
}  # fmt: skip
_REMOTE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//|(?:^|,)\s*https?:", re.IGNORECASE)
_REMOTE_CSS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"]?)\s*(?:https?:)?//[^\s'\")]*", re.IGNORECASE)


class _Addresses(HTMLParser):
    """Collects what leads outside and the elements that run code."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag, attrs):
        self._in_style = tag == "style"
        if tag == "script":
            self.found.append("<script>")
        for name, value in attrs:
            value = value or ""
            if name in _ADDRESS_ATTRIBUTES and _REMOTE.search(value):
                self.found.append(f'<{tag} {name}="{value}">')
            elif name in _ADDRESS_ATTRIBUTES and value.strip().lower().startswith("javascript:"):
                self.found.append(f'<{tag} {name}="{value}">')
            elif name.startswith("on") or (name == "http-equiv" and value.lower() == "refresh"):
                self.found.append(f"<{tag} {name}>")
            elif name == "style":
                self.found += _REMOTE_CSS.findall(value)

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if self._in_style:
            self.found += _REMOTE_CSS.findall(data)


def check(page: str, name: str) -> str:
    """Return ``page`` if it stands by itself.

    Raises:
        UserError: naming the elements that lead outside or run code.
    """
    parser = _Addresses()
    parser.feed(page)
    parser.close()
    if parser.found:
        listed = ", ".join(dict.fromkeys(item[:120] for item in parser.found))
        raise UserError(f"{name} would not work offline: it holds {listed}; allowed are embedded data and local links")
    return page
