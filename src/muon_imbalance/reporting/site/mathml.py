"""TeX formulas as MathML, which browsers draw by themselves: no script, no fonts to fetch."""

import re
from functools import cache
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markupsafe import Markup, escape

from muon_imbalance.common.errors import UserError

_INLINE = re.compile(r"(?<!\\)\$(?!\s)([^$]+?)(?<![\s\\])\$")

_CHILDREN = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}


def _problem(tex: str, markup: str) -> str | None:
    """What is wrong with the translation of a formula; the library itself lets most mistakes through."""
    plain = re.sub(r"\\[{}]", "", tex)
    if plain.count("{") != plain.count("}"):
        return "its braces do not match"
    unknown = re.search(r">\s*(\\[A-Za-z]+)", markup)
    if unknown:
        return f"the command {unknown.group(1)} is not known (for the name of an operator: \\operatorname)"
    try:
        tree = ElementTree.fromstring(markup)
    except ElementTree.ParseError as error:
        return f"not a formula the translator understands ({error})"
    for element in tree.iter():
        name = element.tag.rpartition("}")[2]
        if name in _CHILDREN and len(element) != _CHILDREN[name]:
            return f"incomplete: <{name}> has {len(element)} of {_CHILDREN[name]} parts"
    return None


@cache
def to_mathml(tex: str, display: bool = False) -> Markup:
    """Translate one TeX formula (without dollar signs); ``display`` gives it a line of its own.

    Raises:
        UserError: the formula is incomplete, or holds a command or environment that is not known.
    """
    try:
        markup = convert(tex.strip(), display="block" if display else "inline")
        problem = _problem(tex, markup)
    except Exception as error:  # the library raises classes of many kinds
        raise UserError(f"formula {tex!r} cannot be turned into MathML: {error!r}") from error
    if problem:
        raise UserError(f"formula {tex!r} cannot be turned into MathML: {problem}")
    return Markup(markup.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "", 1))


def inline(text: str) -> Markup:
    """Escape plain text for HTML and translate the formulas in it, ``$...$``; ``\\$`` is a dollar sign."""
    parts = _INLINE.split(text)
    html = [to_mathml(part) if index % 2 else escape(part.replace(r"\$", "$")) for index, part in enumerate(parts)]
    return Markup("").join(html)
