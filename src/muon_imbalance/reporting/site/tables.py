"""A data frame as an HTML table."""

import re
from numbers import Real

import pandas as pd
from markupsafe import Markup, escape

from muon_imbalance.common.errors import UserError
from muon_imbalance.reporting.site import mathml

_STYLE = (
    "body{font:16px/1.5 'DejaVu Sans',system-ui,sans-serif;margin:2rem;color-scheme:light dark}"
    "table{border-collapse:collapse}caption{text-align:left;font-weight:bold;padding:.3rem 0}"
    "th,td{border-bottom:1px solid #8888;padding:.3rem .8rem;text-align:left;vertical-align:top}"
)


def number(value) -> str:
    """A number with three significant digits and a true minus sign; nothing known is a dash."""
    if value is None or (isinstance(value, Real) and pd.isna(value)):
        return "–"
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e6:
        text = f"{int(value):,}"
    elif 1000 <= abs(value) < 1e6:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.3g}"
    mantissa, _, exponent = text.replace("-", "\N{MINUS SIGN}").partition("e")
    if not exponent:
        return mantissa
    digits = exponent.replace("+", "").replace("\N{MINUS SIGN}0", "\N{MINUS SIGN}").lstrip("0")
    return f"{mantissa} · 10^{digits}"


def cell(value) -> Markup:
    """HTML of one cell: text with its formulas, or a number with its power of ten raised."""
    if isinstance(value, str):
        return mathml.inline(value)
    base, _, power = number(value).partition("^")
    return escape(base) + (Markup("<sup>{}</sup>").format(power) if power else "")


def fragment(table: pd.DataFrame, caption: str) -> Markup:
    """``<table>`` element: header row with column scope, the first column as row headers."""

    def row(values) -> Markup:
        first, *rest = (cell(value) for value in values)
        return Markup('<tr><th scope="row">{}</th>{}</tr>\n').format(
            first, Markup("").join(Markup("<td>{}</td>").format(value) for value in rest)
        )

    head = Markup("").join(Markup('<th scope="col">{}</th>').format(cell(str(name))) for name in table.columns)
    body = Markup("").join(row(values) for values in table.astype(object).itertuples(index=False, name=None))
    return Markup("<table>\n<caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n").format(
        cell(caption), head, body
    )


def document(table: Markup, title: str) -> str:
    """A page that holds one table and opens by itself."""
    plain = re.sub(r"[$\\{}]", "", title)
    return str(
        Markup(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{}</title>'
            "<style>{}</style></head>\n"
            "<body>\n{}</body></html>\n"
        ).format(plain, Markup(_STYLE), table)
    )


def extract(page: str, name: str) -> Markup:
    """The ``<table>`` of a page written by :func:`document`.

    Raises:
        UserError: the page (called ``name`` in the message) holds none.
    """
    found = re.search(r"<table>.*</table>", page, flags=re.DOTALL)
    if found is None:
        raise UserError(f"{name} holds no <table>: it was not written by figure.save_table")
    return Markup(found.group(0))
