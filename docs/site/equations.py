"""A hook of MkDocs: equations become MathML when the site is built, so that reading it needs no script and no network."""

import html
import re

from latex2mathml.converter import convert

#: What pymdownx.arithmatex leaves: ``\(...\)`` in a span, ``\[...\]`` in a div.
_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_) -> str:
    """The page with every equation replaced."""
    return _EQUATION.sub(_to_mathml, content)


def _to_mathml(found: re.Match) -> str:
    element, latex = found.groups()
    display = "block" if element == "div" else "inline"
    return f'<{element} class="equation">{convert(html.unescape(latex), display=display)}</{element}>'
