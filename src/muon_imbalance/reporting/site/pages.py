"""Executed notebooks as HTML pages that open from disk: no script, no remote address, formulas as MathML."""

import posixpath
from functools import cache
from pathlib import Path

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from muon_imbalance.common.errors import UserError
from muon_imbalance.reporting.site import markdown, mathml, offline, tables

_TEMPLATES = Path(__file__).parent / "templates"


def breakable(identifier: str) -> Markup:
    """A claim's id that may be broken before its variant."""
    return escape(identifier).replace("@", Markup("<wbr>@"))


@cache
def environment() -> Environment:
    """Jinja environment of the report: everything is escaped, an undefined name is an error."""
    env = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(formulas=mathml.inline, number=tables.cell, breakable=breakable)
    env.globals["code_style"] = {
        "light": Markup(HtmlFormatter(style="xcode").get_style_defs(".highlight")),
        "dark": Markup(HtmlFormatter(style="github-dark").get_style_defs(".highlight")),
    }
    return env


class _Exporter(HTMLExporter):
    """nbconvert's bare ``basic`` template with our Markdown and without the numbers in front of cells."""

    def __init__(self, **kwargs):
        super().__init__(
            template_name="basic",
            exclude_input_prompt=True,
            exclude_output_prompt=True,
            sanitize_html=False,
            **kwargs,
        )

    def default_filters(self):
        """nbconvert's; but what Pygments made of a cell is escaped, and to clean it takes a third of the time."""
        yield from super().default_filters()
        yield "clean_html", lambda code: code

    @pass_context
    def markdown2html(self, context, source):
        """Filter that the template calls for Markdown cells and outputs."""
        return markdown.to_html(source, attachments=context.get("cell", {}).get("attachments", {}))


def read_notebook(path: str | Path) -> nbformat.NotebookNode:
    """Load an executed notebook.

    Raises:
        UserError: it does not exist or is no notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise UserError(f"executed notebook {path} does not exist; render the figure first") from None
    except Exception as error:  # nbformat raises classes of many kinds
        raise UserError(f"executed notebook {path} cannot be read: {error!r}") from error


def body(notebook: nbformat.NotebookNode, code: bool = True) -> Markup:
    """HTML of the cells and their outputs; without ``code`` of text and outputs alone."""
    html, _ = _exporter(code).from_notebook_node(notebook)
    return Markup(html)


@cache
def _exporter(code: bool) -> _Exporter:
    """One for all notebooks: compiling its templates takes a quarter of the time of the report."""
    return _Exporter(exclude_input=not code)


def page(
    notebook: nbformat.NotebookNode,
    title: str,
    scale: str,
    back: str | None,
    download: str,
    name: str,
    code: bool = True,
) -> str:
    """A whole page: ``back`` links to the figure in the report (None: no link), ``download`` to the notebook itself.

    ``code``: whether the cells' source is shown.

    Raises:
        UserError: something on the page leads outside or runs code.
    """
    template = environment().get_template("notebook.html.j2")
    html = template.render(title=title, scale=scale, body=body(notebook, code), back=back, download=download)
    return offline.check(html, name)


def introduction(notebook: nbformat.NotebookNode) -> Markup:
    """The notebook's first Markdown cell without its title, for the figure's section of the report."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            return markdown.to_html(markdown.without_title(cell.source), demote=2)
    return Markup("")


def relative(target: str | Path, page_path: str | Path) -> str:
    """Address of ``target`` as seen from a page, with forward slashes."""
    here = Path(page_path).absolute().parent.as_posix()
    return posixpath.relpath(Path(target).absolute().as_posix(), here)
