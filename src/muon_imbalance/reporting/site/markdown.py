"""Markdown of notebooks as HTML without scripts: formulas become MathML, addresses become text."""

from markupsafe import Markup, escape
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from muon_imbalance.reporting.site import mathml


class _Renderer(IPythonRenderer):
    """Renderer of nbconvert with MathML; raw HTML is shown as text and links keep only their words and
    address.
    """

    def __init__(self, demote: int = 0, **kwargs):
        super().__init__(escape=True, exclude_anchor_links=True, **kwargs)
        self.demote = demote

    def heading(self, text: str, level: int, **attrs) -> str:
        return super().heading(text, min(6, level + self.demote), **attrs)

    def inline_math(self, body: str) -> str:
        return str(mathml.to_mathml(body))

    def block_math(self, body: str) -> str:
        return f'<div class="formula">{mathml.to_mathml(body, display=True)}</div>'

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if url.startswith("#"):
            return super().link(text, url, title)
        address = f"<code>{escape(url)}</code>"
        return address if text in (url, str(escape(url))) else f"{text} ({address})"


def to_html(source: str, demote: int = 0, attachments: dict | None = None) -> Markup:
    """HTML of a Markdown text; headings are moved down by ``demote`` levels.

    Raises:
        UserError: a formula cannot be translated.
    """
    return Markup(MarkdownWithMath(renderer=_Renderer(demote, attachments=attachments)).render(source))


def without_title(source: str) -> str:
    """The text without its first line if that is a heading."""
    first, _, rest = source.lstrip().partition("\n")
    return rest if first.startswith("#") else source
